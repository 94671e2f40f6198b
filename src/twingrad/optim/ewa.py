"""The exponentially weighted average, which momentum, RMSprop and Adam are made of."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from twingrad.functional.checks import below_one


class EWA:
    """v = beta v + (1 - beta) x, from v = 0; corrected for its bias, v / (1 - beta^t) after t values.

    beta: in [0, 1). bias_correction: whether `value` is the corrected average; the state v stays uncorrected either
    way, for the next value is added to that. Corrected, it is the weighted mean of the values so far: their weights,
    (1 - beta) beta^k, sum to 1 - beta^t. x: numbers, or arrays of one shape of any library.
    Raises ValueError for a beta of 1 or out of range. Source: Kingma and Ba 2015, section 3, for the correction.

    >>> average = EWA(0.9)
    >>> [round(average.update(x), 4) for x in (40, 49, 45)]
    [40.0, 44.7368, 44.8339]
    >>> round(average.v, 4), round(average.window)
    (12.15, 10)
    """

    def __init__(self, beta: float, *, bias_correction: bool = True) -> None:
        self.beta, self.bias_correction = below_one("beta of EWA", beta), bool(bias_correction)
        self.v: Any = 0.0
        self.count = 0

    @property
    def window(self) -> float:
        """1/(1 - beta), the number of values that it averages over: all that are older weigh about 1/e together."""
        return 1.0 / (1.0 - self.beta)

    @property
    def time_constant(self) -> float:
        """-1/ln(beta), after how many values a weight has fallen to 1/e exactly: `window` in the limit of beta 1."""
        return -1.0 / math.log(self.beta) if self.beta else 0.0

    @property
    def value(self) -> Any:
        """The average, corrected if so made. Raises ValueError before the first value."""
        if not self.count:
            raise ValueError("EWA has no value yet: update(x) first")
        return self.v / (1.0 - self.beta**self.count) if self.bias_correction else self.v

    def update(self, x: Any) -> Any:
        """Take a value in; returns the average."""
        self.v = self.beta * self.v + (1.0 - self.beta) * x
        self.count += 1
        return self.value

    def over(self, series: Iterable[Any]) -> list[Any]:
        """The average after each value of a series."""
        return [self.update(x) for x in series]

    def __repr__(self) -> str:
        return f"EWA({self.beta:g}, window {self.window:g}, {self.count} values)"
