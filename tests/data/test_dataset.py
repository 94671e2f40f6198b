"""Data sets of each task, made from arrays, and their splits."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twingrad.data import Dataset, Table, Text

X = np.zeros((4, 3))
TASKS = {
    "two": ([0, 1, 1, 0], {}, "binary", ("0", "1"), 1),
    "two as classes": ([0, 1, 1, 0], {"task": "multi-class"}, "multi-class", ("0", "1"), 2),
    "three": ([0, 1, 2, 0], {}, "multi-class", ("0", "1", "2"), 3),
    "three named": ([0, 1, 1, 0], {"classes": ("a", "b", "c")}, "multi-class", ("a", "b", "c"), 3),
    "true and false": ([True, False, True, True], {}, "binary", ("0", "1"), 1),
    "bytes": (np.array([2, 0, 1, 2], np.uint8), {}, "multi-class", ("0", "1", "2"), 3),
    "labels": ([[0, 1], [1, 1], [0, 0], [1, 0]], {}, "multi-label", ("0", "1"), 2),
    "labels as numbers": ([[0, 1], [1, 1], [0, 0], [1, 0]], {"task": "regression"}, "regression", (), 2),
    "floats": ([0.5, 1, 2, 3], {}, "regression", (), 1),
    "several floats": ([[0.5, 1], [2, 3], [4, 5], [6, 7]], {}, "regression", (), 2),
    "integers as numbers": ([5, -3, 7, 9], {"task": "regression"}, "regression", (), 1),
}


@pytest.mark.parametrize(("y", "options", "task", "classes", "outputs"), TASKS.values(), ids=TASKS)
def test_the_targets_tell_the_task(y, options, task, classes, outputs):
    data = Dataset(X, np.array(y), **options)
    assert (data.task, data.classes, data.outputs, data.features) == (task, classes, outputs, 3)
    assert data.task_reason
    np.testing.assert_array_equal(data.y, np.array(y))
    part = data.take(np.array([1, 3]))
    assert (part.task, part.classes, part.task_reason, len(part)) == (task, classes, data.task_reason, 2)


BAD = {
    "NaN label": (X, [[1.0, np.nan]] * 4, {}, ValueError, 'labels of which some are missing take task="multi-label"'),
    "NaN target": (X, [1.0, np.nan, 2, 3], {}, ValueError, "targets must be finite; row 1 holds nan"),
    "label 2": (X, [[0, 1], [2, 0], [0, 0], [0, 0]], {}, ValueError, "row 2 has label 2"),
    "negative": (X, [0, -1, 1, 0], {}, ValueError, "row 1 has label -1"),
    "three for two": (X, [0, 1, 2, 0], {"task": "binary"}, ValueError, "task 'binary' needs two classes; got 3"),
    "floats as classes": (
        X,
        [0.0, 1, 1, 0],
        {"task": "binary"},
        TypeError,
        r"be \(N,\) integers; got \(4,\) float",
    ),
    "column as labels": (X, [0, 1, 1, 0], {"task": "multi-label"}, TypeError, r"must be \(N, K\) integers of 0 and 1"),
    "unknown task": (X, [0, 1, 1, 0], {"task": "multilabel"}, ValueError, "unknown task .*did you mean 'multi-label'"),
    "masked": (np.ma.masked_array(X, X == 0), [0, 1, 1, 0], {}, TypeError, "x must not be masked; fill in"),
    "names": (X, [0, 1, 1, 0], {"feature_names": ("a",)}, ValueError, "3 features need so many feature_names; got 1"),
    "own test": (X, [0, 1, 1, 0], {"own_test": 4}, ValueError, "must leave examples to train on; got 4 of 4"),
    "NaN by name": (
        np.where(np.arange(12).reshape(4, 3) == 7, np.nan, 0),
        [0, 1, 1, 0],
        {"feature_names": ("a", "b", "c")},
        ValueError,
        "row 2, column 'b' holds nan",
    ),
    "NaN in a table": (
        Table(("a",), (np.array([0, 1, np.inf, 2]),), np.array([2, 3, 5, 6]), "t.csv"),
        [0, 1, 1, 0],
        {},
        ValueError,
        "t.csv, line 5, column 'a' holds inf",
    ),
}


@pytest.mark.parametrize(("x", "y", "options", "kind", "message"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_told(x, y, options, kind, message):
    with pytest.raises(kind, match=message):
        Dataset(x, np.array(y), **options)


def numbered(n, **options):
    y = options.pop("y", np.arange(n) + 0.5)
    return Dataset(np.arange(n, dtype=float)[:, None], y, **options)


def positions(part):
    return part.x[:, 0].astype(int).tolist()


@given(st.integers(4, 200), st.integers(0, 5))
def test_other_tasks_are_shuffled_and_cut(n, seed):
    data = numbered(n)
    parts, again = data.split(0.5, 0.25, seed=seed), data.split(0.5, 0.25, seed=seed)
    found = [positions(part) for part in parts]
    assert sorted(itertools.chain(*found)) == list(range(n))
    assert found == [positions(part) for part in again]
    assert [len(part) for part in parts] == [round(0.5 * n), round(0.75 * n) - round(0.5 * n), n - round(0.75 * n)]
    assert all(part == sorted(part) for part in found)


def test_labels_are_shuffled_and_cut():
    y = np.random.default_rng(0).integers(0, 2, (10, 3))
    parts = numbered(10, y=y).split()
    assert [part.y.shape for part in parts] == [(6, 3), (2, 3), (2, 3)]


@given(st.integers(1, 20), st.integers(20, 60), st.integers(0, 3))
def test_a_test_part_of_its_own_stays(own, n, seed):
    data = numbered(n + own, own_test=own, y=np.arange(n + own) % 2)
    train, dev, test = data.split(seed=seed)
    assert positions(test) == list(range(n, n + own))
    assert sorted(positions(train) + positions(dev)) == list(range(n))
    assert len(train) == round(0.9 * n)


SHARES = {
    "one left out": ((0.7, 0.1, None), [70, 10, 20]),
    "dev left out": ((0.7, None, 0.2), [70, 10, 20]),
    "none": ((None, None, None), [60, 20, 20]),
    "no dev": ((0.8, 0, None), [80, 0, 20]),
}


@pytest.mark.parametrize(("shares", "sizes"), SHARES.values(), ids=SHARES)
def test_a_share_left_out_is_what_is_left(shares, sizes):
    assert [len(part) for part in numbered(100).split(*shares)] == sizes


BAD_SHARES = {
    "two left out": ((0.7, None, None), "give none, all, or all but one of the shares"),
    "too much": ((0.7, 0.5, None), "at least 0 and sum to 1; got 0.7, 0.5, -0.2"),
    "sum": ((0.7, 0.5, 0.2), "at least 0 and sum to 1; got 0.7, 0.5, 0.2"),
}


@pytest.mark.parametrize(("shares", "message"), BAD_SHARES.values(), ids=BAD_SHARES)
def test_shares_are_checked(shares, message):
    with pytest.raises(ValueError, match=message):
        numbered(100).split(*shares)


def test_a_table_is_split_with_its_lines():
    table = Table(("a", "b"), (np.arange(10.0), Text.of(list("abcdefghij"))), np.arange(10) + 2)
    train = Dataset(table, np.arange(10) % 2).split(seed=1).train
    assert (train.x.lines == train.x.column("a") + 2).all()
    with pytest.raises(TypeError, match=r"may hold text: Preprocessing.fit\(train\).apply\(table\)"):
        np.asarray(train.x)


def test_rows_of_a_piece_of_a_table_are_named_by_their_place_in_the_whole():
    table = Table(("a",), (np.arange(10.0),), source="t")
    assert [table[piece].where(0) for piece in (slice(4, 6), slice(-3, None))] == ["t, row 4", "t, row 7"]
    assert table[2:][3:].where(1) == "t, row 6"


@pytest.mark.parametrize(
    ("names", "columns", "message"),
    [
        (("a", "a"), (np.ones(2), np.ones(2)), "each column needs a name of its own"),
        (("a", "b"), (np.ones(2), np.ones(3)), r"all columns must have one length; got \[2, 3\]"),
    ],
)
def test_tables_are_checked(names, columns, message):
    with pytest.raises(ValueError, match=message):
        Table(names, columns)
