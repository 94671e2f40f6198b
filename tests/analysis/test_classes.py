"""Precision, recall, F1, confusion and thresholds against scikit-learn."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twingrad import Tensor
from twingrad.analysis import class_report, confusion_matrix, f1_score, threshold_at, wilson

from libraries import Library

PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40)


@pytest.fixture(scope="module")
def metrics():
    return pytest.importorskip("sklearn.metrics", reason="scikit-learn (extra `oracle`) is not installed")


@pytest.mark.oracle
@given(PAIRS)
@settings(max_examples=50)
def test_classes_as_scikit_learn_has_them(metrics, pairs):
    y, predicted = np.asarray(pairs).T
    report = class_report(y, predicted, "abcde")
    labels = range(5)
    with warnings.catch_warnings(action="ignore"):
        wanted = metrics.precision_recall_fscore_support(y, predicted, labels=labels, zero_division=np.nan)
        macro = metrics.f1_score(y, predicted, average="macro", zero_division=np.nan)  # over the classes there are
    np.testing.assert_array_equal(report.confusion, metrics.confusion_matrix(y, predicted, labels=labels))
    for found, theirs in zip((report.precision, report.recall, report.f1, report.support), wanted, strict=True):
        np.testing.assert_allclose(found, theirs, rtol=1e-14)
    assert report.macro_f1 == pytest.approx(macro, rel=1e-14)
    assert report.accuracy.rate == pytest.approx(metrics.accuracy_score(y, predicted))
    assert report.error.rate == pytest.approx(1 - report.accuracy.rate)
    assert report.error.high == pytest.approx(1 - report.accuracy.low)


@pytest.mark.oracle
def test_labels_as_scikit_learn_has_them(metrics):
    y, predicted = np.random.default_rng(1).integers(0, 2, (2, 60, 3))
    report = class_report(y, predicted)
    wanted = metrics.precision_recall_fscore_support(y, predicted)
    for found, theirs in zip((report.precision, report.recall, report.f1, report.support), wanted, strict=True):
        np.testing.assert_allclose(found, theirs, rtol=1e-14)
    assert report.confusion is None
    assert report.accuracy.rate == pytest.approx(metrics.accuracy_score(y, predicted))


def test_missing_labels_are_not_counted():
    nan = np.nan
    report = class_report([[1, nan], [0, 1], [nan, nan]], [[1, 1], [1, 1], [1, 0]], ["a", "b"])
    assert (report.hits.tolist(), report.predicted.tolist(), report.support.tolist()) == ([1, 1], [2, 1], [1, 1])
    assert (report.right, report.n) == (2, 3)


def test_labels_that_nobody_has_or_predicts():
    assert np.isnan(class_report([[0, 0]], [[0, 0]]).macro_f1)


def test_f1_of_the_course():
    """A 0.95/0.90 and B 0.98/0.85: A, as the arithmetic mean has it."""
    a, b = f1_score(0.95, 0.90), f1_score(0.98, 0.85)
    assert (a, b) == pytest.approx((0.924324324, 0.910382514), abs=5e-10)
    assert a > b
    assert f1_score(1.0, 0.02) < 0.04  # where the arithmetic mean is 0.51
    assert np.isnan(f1_score(0.0, 0.0))


def test_rates_over_nothing_are_undefined():
    report = class_report([0, 0, 1], [0, 0, 0], ["a", "b", "c"])
    np.testing.assert_array_equal(report.precision, [2 / 3, np.nan, np.nan])
    np.testing.assert_array_equal(report.f1, [0.8, 0.0, np.nan])
    assert report.macro_f1 == pytest.approx(0.4)
    assert "undefined" in str(report)
    told = report.to_dict()
    assert told["classes"]["c"] == {
        "examples": 0,
        "f1": None,
        "precision": None,
        "precision_interval": None,
        "recall": None,
        "recall_interval": None,
    }
    ends = wilson(2, 3)
    assert told["classes"]["a"]["precision_interval"] == [ends.low, ends.high]
    assert told["confusion"] == [[2, 0, 0], [1, 0, 0], [0, 0, 0]]


def test_arrays_of_any_library(library: Library):
    y, predicted = np.arange(12) % 3, np.arange(12) % 4 % 3
    found = class_report(library.asarray(y), library.asarray(predicted))
    assert found.to_dict() == class_report(y.tolist(), Tensor(predicted)).to_dict()


@pytest.mark.oracle
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 1)), min_size=2, max_size=30), st.floats(0, 1))
@settings(max_examples=60)
def test_the_threshold_is_the_best_point_of_scikit_learns_curve(metrics, pairs, limit):
    scores, y = np.asarray(pairs).T
    if len(set(y.tolist())) < 2:
        return
    alarms, found, thresholds = metrics.roc_curve(y, scores, drop_intermediate=False)
    good = alarms <= limit
    best = found[good].max()
    chosen = threshold_at(scores / 8, y, false_positive_rate=limit)
    assert (chosen.true_positive_rate, chosen.false_positive_rate) == (best, alarms[good][found[good] == best].min())
    taken = scores / 8 >= chosen.threshold
    assert taken[y == 1].mean() == pytest.approx(chosen.true_positive_rate)
    assert taken[y == 0].mean() == pytest.approx(chosen.false_positive_rate)
    assert chosen.false_positive_rate <= limit
    assert not best or chosen.threshold * 8 in thresholds


def test_no_threshold_suits():
    """The highest score is a negative's."""
    assert threshold_at([0.9, 0.1, 0.2], [0, 0, 1], false_positive_rate=0.1) == (float("inf"), 0.0, 0.0)


BAD = {
    "no examples": (lambda: class_report([], []), ValueError, "there are no examples"),
    "shapes": (lambda: class_report([0, 1], [0]), ValueError, r"must both be \(N,\), .* got \(2,\), \(1,\)"),
    "floats": (lambda: class_report([0.5], [0]), TypeError, "got float64 and int64"),
    "label": (lambda: confusion_matrix([0, 3], [0, 1], 3), ValueError, r"y: labels must lie in \[0, 3\); row 1 has"),
    "prediction": (lambda: class_report([0], [-1]), ValueError, "predicted: labels must lie in"),
    "labels": (
        lambda: class_report([[0, 2]], [[0, 1]]),
        ValueError,
        "labels of y must hold booleans, .* got 2",
    ),
    "names": (lambda: class_report([[0, 1]], [[0, 1]], ["a"]), ValueError, "2 labels need so many names; got 1"),
    "two axes": (lambda: confusion_matrix([[0, 1]], [[0, 1]]), ValueError, r"must both be \(N,\); got \(1, 2\)"),
    "count": (lambda: confusion_matrix([0], [0], 2.0), TypeError, "classes must be an int; got 2.0"),
    "half a label": (
        lambda: threshold_at([0.1, 0.2], [0.5, 1], false_positive_rate=0.1),
        ValueError,
        "y must hold booleans, or 0 and 1; got 0.5",
    ),
    "share": (lambda: f1_score(95, 90), ValueError, r"precision is a share in \[0, 1\]; got 95"),
    "one class": (
        lambda: threshold_at([0.1, 0.2], [1, 1], false_positive_rate=0.1),
        ValueError,
        "both classes are needed; got 2 positives and 0 negatives",
    ),
    "rate": (lambda: threshold_at([0.1, 0.2], [0, 1], false_positive_rate=5), ValueError, r"in \[0, 1\]; got 5"),
    "nan": (lambda: threshold_at([np.nan, 0.2], [0, 1], false_positive_rate=0.5), ValueError, "none of them NaN"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments(case):
    call, error, message = BAD[case]
    with pytest.raises(error, match=message):
        call()
