"""How a hyperparameter is sampled: each scale maps [0, 1) to values, evenly in what matters."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from twingrad.functional.checks import integer, number


class Scale:
    """The base. `at(u)` is the value at u in [0, 1), `place(value)` its inverse.

    inner, outer: from a value to what Optuna holds and back; `label` names that in its storage and pictures.
    """

    def at(self, u: float) -> Any:
        """The value at u."""
        raise TypeError(f"{type(self).__name__} defines no at(u)")

    def place(self, value: Any) -> float:
        """Where in [0, 1] a value lies."""
        raise TypeError(f"{type(self).__name__} defines no place(value)")

    def distribution(self) -> Any:
        """Optuna's, of what `inner` gives."""
        raise TypeError(f"{type(self).__name__} defines no distribution()")

    def grid(self, points: int) -> list[Any]:
        """So many values, from end to end and evenly on the scale; one alone is in the middle."""
        return [self.at(i / (points - 1) if points > 1 else 0.5) for i in range(points)]

    def inner(self, value: Any) -> Any:
        """What Optuna holds of a value."""
        return value

    def outer(self, value: Any) -> Any:
        """The value of what Optuna holds."""
        return value

    def label(self, name: str) -> str:
        """What `inner` gives, of a hyperparameter of that name."""
        return name

    def to_dict(self) -> dict[str, Any]:
        """Kind and arguments, as JSON holds them."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        return {"scale": type(self).__name__, **given}

    def _ends(self, rule: str, holds: Callable[[float, float], bool]) -> None:
        name = type(self).__name__
        low, high = (number(f"{end} of {name}", getattr(self, end)) for end in ("low", "high"))
        if low >= high:
            raise ValueError(f"{name} needs low < high; got low={low:g} and high={high:g}")
        if not (math.isfinite(low) and math.isfinite(high) and holds(low, high)):
            raise ValueError(f"{name} needs {rule}; got low={low:g} and high={high:g}")
        for end, value in (("low", low), ("high", high)):
            object.__setattr__(self, end, value)


@dataclass(frozen=True)
class Uniform(Scale):
    """Evenly between low and high."""

    low: float
    high: float

    def __post_init__(self) -> None:
        self._ends("finite low < high", lambda low, high: low < high)

    def at(self, u: float) -> float:
        """low + u (high - low)."""
        return min(self.high, self.low + u * (self.high - self.low))

    def place(self, value: float) -> float:
        """(value - low) / (high - low)."""
        return (value - self.low) / (self.high - self.low)

    def distribution(self) -> Any:
        from optuna.distributions import FloatDistribution

        return FloatDistribution(self.low, self.high)


@dataclass(frozen=True)
class LogUniform(Scale):
    """Evenly in the logarithm, so that each decade is as likely: 10^r, r uniform in [log10 low, log10 high].

    >>> [round(value, 6) for value in LogUniform(1e-4, 1).grid(5)]
    [0.0001, 0.001, 0.01, 0.1, 1.0]
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        self._ends("0 < low < high, for the logarithm of 0 is not finite", lambda low, high: 0 < low < high)

    def at(self, u: float) -> float:
        """low (high/low)^u."""
        return float(min(self.high, max(self.low, self.low * (self.high / self.low) ** u)))

    def place(self, value: float) -> float:
        """log(value/low) / log(high/low)."""
        return math.log(value / self.low) / math.log(self.high / self.low)

    def distribution(self) -> Any:
        from optuna.distributions import FloatDistribution

        return FloatDistribution(self.low, self.high, log=True)


@dataclass(frozen=True)
class OneMinusLogUniform(Scale):
    """1 - beta evenly in the logarithm: for decays of averages, whose window is 1/(1 - beta).

    >>> [round(beta, 6) for beta in OneMinusLogUniform(0.9, 0.999).grid(3)]
    [0.9, 0.99, 0.999]
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        rule = "0 <= low < high < 1, for the logarithm of 1 - beta is not finite at 1"
        self._ends(rule, lambda low, high: 0 <= low < high < 1)

    def at(self, u: float) -> float:
        """1 - (1 - low) ((1 - high)/(1 - low))^u."""
        found = 1.0 - (1.0 - self.low) * ((1.0 - self.high) / (1.0 - self.low)) ** u
        return float(min(self.high, max(self.low, found)))

    def place(self, value: float) -> float:
        """log((1 - value)/(1 - low)) / log((1 - high)/(1 - low))."""
        return math.log((1.0 - value) / (1.0 - self.low)) / math.log((1.0 - self.high) / (1.0 - self.low))

    def distribution(self) -> Any:
        from optuna.distributions import FloatDistribution

        return FloatDistribution(1.0 - self.high, 1.0 - self.low, log=True)

    def inner(self, value: float) -> float:
        """1 - beta."""
        return 1.0 - value

    def outer(self, value: float) -> float:
        """beta."""
        return 1.0 - value

    def label(self, name: str) -> str:
        return f"1 - {name}"


@dataclass(frozen=True)
class Integers(Scale):
    """Each integer from low to high alike; log: evenly in the logarithm, rounded.

    >>> Integers(50, 100).grid(3), Integers(16, 256, log=True).grid(5)
    ([50, 75, 100], [16, 32, 64, 128, 256])
    """

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        for end in ("low", "high"):
            object.__setattr__(self, end, integer(f"{end} of Integers", getattr(self, end)))
        if not self.low < self.high:
            raise ValueError(f"Integers needs low < high; got low={self.low} and high={self.high}")
        if self.log and self.low < 1:
            rule = "low of at least 1 on a log scale, for the logarithm of 0 is not finite"
            raise ValueError(f"Integers needs {rule}; got low={self.low} and high={self.high}")

    def at(self, u: float) -> int:
        """floor of the even scale over [low, high + 1), or of the logarithmic one over [low - 1/2, high + 1/2)."""
        if not self.log:
            return min(self.high, self.low + int(u * (self.high - self.low + 1)))
        low, high = self.low - 0.5, self.high + 0.5
        return int(min(self.high, max(self.low, round(low * (high / low) ** u))))

    def place(self, value: int) -> float:
        """The middle of the value's share of [0, 1)."""
        if not self.log:
            return (value - self.low + 0.5) / (self.high - self.low + 1)
        low, high = self.low - 0.5, self.high + 0.5
        return math.log(value / low) / math.log(high / low)

    def grid(self, points: int) -> list[int]:
        """Evenly from end to end, each once: fewer where there are not so many."""
        smooth: Scale = LogUniform(self.low, self.high) if self.log else Uniform(self.low, self.high)
        return list(dict.fromkeys(round(value) for value in smooth.grid(points)))

    def distribution(self) -> Any:
        from optuna.distributions import IntDistribution

        return IntDistribution(self.low, self.high, log=self.log)


@dataclass(frozen=True, init=False)
class Choice(Scale):
    """One of these: texts, numbers, booleans or None."""

    values: tuple[Any, ...]

    def __init__(self, *values: Any) -> None:
        wrong = [value for value in values if not isinstance(value, str | int | float | bool | None)]
        if wrong:
            raise TypeError(f"Choice takes texts, numbers, booleans or None; got {wrong[0]!r}")
        if not values or len(set(values)) < len(values):
            told = ", ".join(map(repr, values)) or "none"
            raise ValueError(f"Choice needs at least one value, and each once; got {told}")
        object.__setattr__(self, "values", values)

    def at(self, u: float) -> Any:
        """The value number floor(u n)."""
        return self.values[min(len(self.values) - 1, int(u * len(self.values)))]

    def place(self, value: Any) -> float:
        """The middle of the value's share of [0, 1)."""
        return (self.values.index(value) + 0.5) / len(self.values)

    def grid(self, points: int) -> list[Any]:
        """All values, whatever `points` says."""
        return list(self.values)

    def distribution(self) -> Any:
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(self.values)

    def to_dict(self) -> dict[str, Any]:
        return {"scale": "Choice", "values": list(self.values)}


SCALES: dict[str, type[Scale]] = {
    kind.__name__: kind for kind in (Uniform, LogUniform, OneMinusLogUniform, Integers, Choice)
}
"""Each by its name."""
