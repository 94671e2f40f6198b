"""The mean of a few numbers with its 95% interval: Student's t, for numbers of any standard deviation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean over n independent numbers, and the ends of its interval."""

    mean: float
    low: float
    high: float
    n: int

    @property
    def side(self) -> str:
        """Where it lies beside 0: "lower", "higher", or "undecided" where it holds 0."""
        return "lower" if self.high < 0 else "higher" if self.low > 0 else "undecided"

    def __str__(self) -> str:
        return f"{self.mean:.4g} [{self.low:.4g}, {self.high:.4g}]"


def interval(values: Sequence[float], level: float = LEVEL) -> Interval:
    """mean -+ t s / sqrt(n), t the quantile of Student's distribution with n - 1 degrees of freedom.

    values: one for each seed. s divides by n - 1. Over the seeds of an experiment the interval is of the expectation
    over seeds, not of one seed's result. Source: Student 1908, "The probable error of a mean".

    Raises ValueError for fewer than two values, or one that is not finite.

    >>> print(interval([1.0, 2.0, 3.0, 4.0]))
    2.5 [0.4457, 4.554]
    """
    numbers = np.asarray(values, np.float64)
    if numbers.ndim != 1 or len(numbers) < 2 or not np.isfinite(numbers).all():
        raise ValueError(f"interval: at least two finite numbers are needed; got {list(values)}")
    mean, n = float(numbers.mean()), len(numbers)
    half = quantile((1 + level) / 2, n - 1) * float(numbers.std(ddof=1)) / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, n)


def paired(a: Sequence[float], b: Sequence[float], level: float = LEVEL) -> Interval:
    """The interval of the mean of b - a, where a[i] and b[i] come of the same seed: what they share cancels.

    Raises ValueError as `interval`, and for two lengths.

    >>> print(paired([1.0, 5.0, 9.0], [1.5, 5.4, 9.6]))
    0.5 [0.2516, 0.7484]
    """
    if len(a) != len(b):
        raise ValueError(f"paired: two numbers for each seed are needed; got {len(a)} and {len(b)}")
    return interval(np.asarray(b, np.float64) - np.asarray(a, np.float64), level)  # type: ignore[arg-type]


@cache
def quantile(p: float, df: int) -> float:
    """Where Student's distribution function reaches p in [0.5, 1): by bisection on its integral.

    With t = sqrt(df) tan(u) the density becomes cos(u)**(df - 1) over [0, pi/2), up to a factor.

    >>> round(quantile(0.975, 19), 6)
    2.093024
    """
    u = np.linspace(0.0, math.pi / 2, 200_001)
    density = np.cos(u) ** (df - 1)
    area = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return math.sqrt(df) * math.tan(float(np.interp((p - 0.5) * 2 * area[-1], area, u)))
