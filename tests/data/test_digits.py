"""The digits that ship in the package, and how a data set is split."""

import numpy as np
import pytest

import twingrad as tg
from twingrad.data import Dataset


def test_digits_are_uci_s():
    data = tg.data.load("digits")
    assert data.x.shape == (1797, 64)
    assert data.x.dtype == np.float32
    assert data.y.dtype == np.int64
    assert (data.x.min(), data.x.max()) == (0.0, 1.0)
    assert (data.x * 16 == np.round(data.x * 16)).all()
    assert np.bincount(data.y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert (data.classes, data.name, len(data)) == (tuple("0123456789"), "digits", 1797)


def test_digits_equal_scikit_learn_s_copy():
    theirs = pytest.importorskip(
        "sklearn.datasets", reason="scikit-learn (extra `oracle`) is not installed"
    ).load_digits()
    data = tg.data.load("digits")
    np.testing.assert_array_equal(data.x * 16, theirs.data)
    np.testing.assert_array_equal(data.y, theirs.target)


def test_a_data_set_is_read_only():
    data = tg.data.load("digits")
    with pytest.raises(ValueError, match="read-only"):
        data.x[0, 0] = 1
    with pytest.raises(AttributeError):
        data.name = "other"


@pytest.mark.parametrize(("name", "nearest"), [("digit", "digits"), ("Digits", "digits"), ("dgits", "digits")])
def test_an_unknown_name_suggests_the_nearest(name, nearest):
    with pytest.raises(ValueError, match=f"unknown data set '{name}'; did you mean '{nearest}'"):
        tg.data.load(name)


def test_split_is_a_partition_and_a_function_of_the_seed():
    data = Dataset(np.arange(1797, dtype=np.float32)[:, None], tg.data.load("digits").y)
    parts, again, other = data.split(seed=3), data.split(seed=3), data.split(seed=4)
    assert [len(part) for part in parts] == [1078, 360, 359]
    assert sorted(np.concatenate([part.x[:, 0] for part in parts])) == list(range(1797))
    for ours, same, different in zip(parts, again, other, strict=True):
        assert (ours.x == same.x).all()
        assert not np.array_equal(ours.x, different.x)


@pytest.mark.parametrize("seed", range(3))
def test_split_keeps_each_class_s_share(seed):
    data = tg.data.load("digits")
    whole = np.bincount(data.y)
    for share, part in zip((0.6, 0.2, 0.2), data.split(seed=seed), strict=True):
        assert np.abs(np.bincount(part.y, minlength=10) - share * whole).max() <= 1


def test_split_shares_may_be_nothing():
    train, dev, test = tg.data.load("digits").split(1, 0, 0)
    assert (len(train), len(dev), len(test)) == (1797, 0, 0)
    assert dev.classes == train.classes


@pytest.mark.parametrize("shares", [(0.6, 0.2, 0.3), (1.2, -0.1, -0.1), (float("nan"), 0.5, 0.5)])
def test_split_shares_must_sum_to_one(shares):
    with pytest.raises(ValueError, match="the shares must be at least 0 and sum to 1"):
        tg.data.load("digits").split(*shares)


BAD = {
    "labels above": (np.zeros((3, 2)), [0, 1, 2], ("a", "b"), ValueError, r"in \[0, 2\); row 2 has label 2"),
    "labels below": (np.zeros((3, 2)), [0, -1, -2], (), ValueError, "row 1 has label -1 .and 1 more."),
    "lengths": (np.zeros((3, 2)), [0, 1], (), ValueError, r"x must be \(N, D\) and y \(N,\)"),
    "axes": (np.zeros(3), [0, 1, 0], (), ValueError, r"got \(3,\) and \(3,\)"),
    "NaN": (np.array([[0.0, 1.0], [2.0, np.nan]]), [0, 1], (), ValueError, "row 1, column 1 holds nan"),
    "infinity": (np.array([[0.0, -np.inf], [2.0, 1.0]]), [0, 1], (), ValueError, "row 0, column 1 holds -inf"),
    "complex features": (np.zeros((3, 2), complex), [0, 1, 1], (), TypeError, "floating point .* got complex128"),
    "text labels": (np.zeros((2, 2)), ["a", "b"], (), TypeError, "must hold integer labels or floats, got <U1"),
}


@pytest.mark.parametrize(("x", "y", "classes", "kind", "message"), BAD.values(), ids=BAD)
def test_bad_data_is_refused_by_name(x, y, classes, kind, message):
    with pytest.raises(kind, match=message):
        Dataset(x, np.asarray(y), classes)
