"""Intervals against SciPy and statsmodels, and by how often they hold."""

from __future__ import annotations

import numpy as np
import pytest

from twingrad.analysis import compare, wilson

COUNTS = [(0, 1), (1, 1), (0, 10), (3, 10), (10, 10), (5, 100), (37, 1000), (999, 1000), (123_456, 1_000_000)]


@pytest.mark.oracle
@pytest.mark.parametrize(("count", "n"), COUNTS)
@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_wilson_is_scipys(count, n, level):
    stats = pytest.importorskip("scipy.stats", reason="SciPy (extra `oracle`) is not installed")
    found, wanted = wilson(count, n, level=level), stats.binomtest(count, n).proportion_ci(level, method="wilson")
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), rel=1e-9, abs=1e-15)
    assert found.rate == count / n


def test_wilson_after_no_errors():
    assert wilson(0, 100).high == pytest.approx(1.959964**2 / (100 + 1.959964**2), rel=1e-6)
    assert str(wilson(5, 100)) == "5% [2.15%, 11.18%]"


def tables():
    """(both, only a, only b, neither)."""
    return [(20, 10, 4, 166), (0, 12, 0, 88), (3, 0, 0, 7), (0, 0, 0, 5), (5, 5, 5, 5), (1, 700, 650, 9), (40, 2, 9, 3)]


def wrong(both, only_a, only_b, neither):
    kinds = np.repeat(np.arange(4), (both, only_a, only_b, neither))
    return kinds < 2, (kinds == 0) | (kinds == 2)


@pytest.mark.oracle
@pytest.mark.parametrize("table", tables(), ids=str)
def test_mcnemars_test_is_scipys(table):
    stats = pytest.importorskip("scipy.stats", reason="SciPy (extra `oracle`) is not installed")
    found, (_, b, c, _) = compare(*wrong(*table)), table
    expected = stats.binomtest(b, b + c).pvalue if b + c else 1.0
    assert found.p == pytest.approx(expected, rel=1e-9)
    assert (found.only_a, found.only_b, found.n) == (b, c, sum(table))
    assert found.difference.rate == pytest.approx(found.error_a - found.error_b)


@pytest.mark.oracle
@pytest.mark.parametrize("table", tables(), ids=str)
def test_mcnemars_test_is_statsmodels(table):
    tables_of = pytest.importorskip(
        "statsmodels.stats.contingency_tables", reason="statsmodels (extra `oracle`) is not installed"
    )
    both, b, c, neither = table
    if b + c:
        assert compare(*wrong(*table)).p == pytest.approx(
            tables_of.mcnemar([[both, b], [c, neither]], exact=True).pvalue, rel=1e-9
        )


@pytest.mark.oracle
def test_without_correlation_the_interval_is_that_of_independent_rates():
    proportion = pytest.importorskip(
        "statsmodels.stats.proportion", reason="statsmodels (extra `oracle`) is not installed"
    )
    found = compare(*wrong(6, 24, 14, 56))  # 30% and 20%, phi 0
    wanted = proportion.confint_proportions_2indep(30, 100, 20, 100, method="newcomb")
    assert (found.difference.low, found.difference.high) == pytest.approx(wanted, rel=1e-9)


PUBLISHED = {(36, 12, 2, 0): (0.0569, 0.3404), (59, 6, 16, 80): (-0.1186, -0.0046)}
"""Newcombe 1998, worked example; Cavo et al. 2012, by the R package contingencytables."""


@pytest.mark.parametrize("table", PUBLISHED, ids=str)
def test_published_intervals(table):
    found = compare(*wrong(*table)).difference
    assert (found.low, found.high) == pytest.approx(PUBLISHED[table], abs=5.1e-5)


def test_the_interval_of_a_difference_holds_in_19_of_20_cases():
    """Two systems with errors 12% and 8%, which share most of their mistakes."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(2000):
        a, b = wrong(*rng.multinomial(300, (0.06, 0.06, 0.02, 0.86)))
        interval = compare(a, b).difference
        held += interval.low <= 0.04 <= interval.high
    assert 0.935 < held / 2000 < 0.97


def test_swapped_systems_have_the_mirrored_interval():
    a, b = wrong(20, 10, 4, 166)
    one, other = compare(a, b), compare(b, a)
    assert (one.difference.low, one.difference.high) == pytest.approx((-other.difference.high, -other.difference.low))
    assert one.p == other.p


def test_pairs_are_sharper_than_two_intervals_side_by_side():
    a, b = wrong(40, 12, 1, 447)
    assert compare(a, b).difference.low > 0
    assert wilson(52, 500).low < wilson(41, 500).high


BAD = {
    "count": (lambda: wilson(11, 10), "got 11 of 10"),
    "none": (lambda: wilson(0, 0), "at least 1; got 0 of 0"),
    "level": (lambda: wilson(1, 2, level=95), "between 0 and 1; got 95"),
    "shapes": (lambda: compare([True], [True, False]), r"got \(1,\), \(2,\)"),
    "classes": (lambda: compare([3, 0], [1, 1]), "wrong_a must hold booleans, or 0 and 1; got 3"),
    "empty": (lambda: compare([], []), r"at least one; got \(0,\)"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments(case):
    call, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        call()
