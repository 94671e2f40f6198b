"""How sure an error rate is, and the difference of two that were measured on the same examples."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import Any

from twingrad.analysis.table import flags, percent

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A rate and the ends of its interval."""

    rate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{percent(self.rate)} [{percent(self.low)}, {percent(self.high)}]"


def wilson(count: int, n: int, *, level: float = LEVEL) -> Interval:
    """The score interval of a rate p = count / n, as of errors among n examples:

        (p + z^2/2n -+ z sqrt(p (1-p)/n + z^2/4n^2)) / (1 + z^2/n)

    z: the quantile of the normal distribution, 1.96 for a level of 0.95. It stays within [0, 1], and says something
    after 0 errors too: at most z^2 / (n + z^2).

    Raises ValueError for a count outside [0, n], no examples, a level outside (0, 1).
    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".

    >>> print(wilson(5, 100))
    5% [2.15%, 11.18%]
    """
    count, n = operator.index(count), operator.index(n)
    if not 0 <= count <= n or n == 0:
        raise ValueError(f"wilson: a count lies between 0 and the number of examples, at least 1; got {count} of {n}")
    z = _quantile(level)
    p, share = count / n, z * z / n
    centre, half = p + share / 2, z * math.sqrt(p * (1 - p) / n + share / (4 * n))
    low, high = (centre - half) / (1 + share), (centre + half) / (1 + share)
    return Interval(p, 0.0 if count == 0 else low, 1.0 if count == n else high)


@dataclass(frozen=True)
class Comparison:
    """Two systems on the same examples.

    error_a, error_b: their error rates. only_a, only_b: examples that one alone gets wrong. n: all examples.
    difference: error_a - error_b, with the ends of its interval. p: of McNemar's exact test that there is none.
    """

    error_a: float
    error_b: float
    only_a: int
    only_b: int
    n: int
    difference: Interval
    p: float

    def __str__(self) -> str:
        return (
            f"error {percent(self.error_a)} against {percent(self.error_b)} on {self.n} examples: difference "
            f"{self.difference}, McNemar's p {self.p:.3g}; {self.only_a} and {self.only_b} wrong in one alone"
        )


def compare(wrong_a: Any, wrong_b: Any, *, level: float = LEVEL) -> Comparison:
    """Whether two systems differ, by the examples that only one of them gets wrong, b and c of them:

        p = min(1, 2 P(X <= min(b, c))),  X binomial(b + c, 1/2)        McNemar's exact test
        interval of (b - c) / n: Newcombe's method 10, from the Wilson intervals of both rates and their correlation

    wrong_a, wrong_b: (N,) booleans, or 0 and 1, of the same examples in the same order.
    Much sharper than two intervals side by side, which know nothing of what is hard for both.

    Raises ValueError for shapes that differ or hold no example, and for other numbers.
    Source: McNemar 1947; Newcombe 1998, "Improved confidence intervals for the difference between binomial proportions
    based on paired data", method 10.

    >>> found = compare([i < 20 for i in range(200)], [i < 8 for i in range(200)])
    >>> print(found.difference, f"{found.p:.6f}")
    6% [2.69%, 10.15%] 0.000488
    """
    a, b = flags("compare: wrong_a", wrong_a), flags("compare: wrong_b", wrong_b)
    if a.ndim != 1 or a.shape != b.shape or not len(a):
        raise ValueError(
            f"compare: two arrays (N,) of the same examples are due, at least one; got {a.shape}, {b.shape}"
        )
    n, both = len(a), int((a & b).sum())
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    of_a, of_b = wilson(both + only_a, n, level=level), wilson(both + only_b, n, level=level)
    correlation = _correlation(both, only_a, only_b, n - both - only_a - only_b)
    difference = (only_a - only_b) / n
    below = _together(of_a.rate - of_a.low, of_b.high - of_b.rate, correlation)
    above = _together(of_a.high - of_a.rate, of_b.rate - of_b.low, correlation)
    interval = Interval(difference, difference - below, difference + above)
    return Comparison(of_a.rate, of_b.rate, only_a, only_b, n, interval, _mcnemar(only_a, only_b))


def _mcnemar(b: int, c: int) -> float:
    n, log = b + c, math.lgamma
    terms = (math.exp(log(n + 1) - log(k + 1) - log(n - k + 1) - n * math.log(2)) for k in range(min(b, c) + 1))
    return min(1.0, 2.0 * math.fsum(terms))


def _correlation(both: int, only_a: int, only_b: int, neither: int) -> float:
    """Phi of the 2 x 2 table, where positive with a continuity correction of n / 2."""
    margins = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    if not margins:
        return 0.0
    product, half = both * neither - only_a * only_b, (both + only_a + only_b + neither) / 2
    return (max(product - half, 0.0) if product > 0 else product) / math.sqrt(margins)


def _together(x: float, y: float, correlation: float) -> float:
    return math.sqrt(max(0.0, x * x - 2 * correlation * x * y + y * y))


def _quantile(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"the level of an interval lies between 0 and 1; got {level}")
    from statistics import NormalDist  # not at import: it takes longer than all the rest of this package

    return NormalDist().inv_cdf((1 + level) / 2)
