"""Schedules of the learning rate: small frozen objects, called with the number of steps taken and of whole epochs.

An optimizer takes one as its `lr`. Steps and epochs count from 0; each docstring says what its formula counts. Those
that count epochs need `optimizer.steps_per_epoch`, which `tg.fit` sets.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from twingrad.choice import choose
from twingrad.functional.checks import non_negative, number

UNITS = ("step", "epoch")


class Schedule:
    """The base: a learning rate that is a function of (step, epoch), both from 0.

    counts_epochs: whether the epoch matters. Subclasses are frozen dataclasses whose arguments are checked when made.
    """

    counts_epochs: bool = True

    def __call__(self, step: int, epoch: int) -> float:
        """The learning rate after `step` steps, in epoch number `epoch`."""
        raise TypeError(f"{type(self).__name__} defines no __call__(step, epoch)")

    def to_dict(self) -> dict[str, Any]:
        """The name and the arguments, as JSON can hold them; `from_dict` makes the schedule again."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}  # type: ignore[arg-type]
        kept = {name: value.to_dict() if isinstance(value, Schedule) else value for name, value in fields.items()}
        return {"schedule": type(self).__name__, **kept}


def from_dict(state: Mapping[str, Any]) -> Schedule:
    """The schedule that `to_dict` described. Raises ValueError for an unknown name or bad arguments.

    >>> from_dict(InverseTime(0.2, decay=1.0).to_dict())
    InverseTime(lr=0.2, decay=1.0)
    """
    arguments = {k: from_dict(v) if isinstance(v, Mapping) and "schedule" in v else v for k, v in state.items()}
    name = arguments.pop("schedule", None)
    kind = SCHEDULES[choose("schedule", name, SCHEDULES)]
    try:
        return kind(**arguments)
    except TypeError as error:
        raise ValueError(f"schedule {name}: {error}") from None


def described(lr: Any) -> Any:
    """A learning rate as JSON can hold it: a number, or what `from_dict` takes; None for what cannot be saved.

    That is a function, a schedule around one, and a schedule that is none of `SCHEDULES`.

    >>> described(Warmup(0.1, steps=4))
    {'schedule': 'Warmup', 'after': 0.1, 'steps': 4}
    >>> described(Warmup(Function(lambda epoch: 0.1), steps=4)) is None
    True
    """
    if not isinstance(lr, Schedule):
        return None if callable(lr) else lr
    within = [value for value in vars(lr).values() if isinstance(value, Schedule)]
    if SCHEDULES.get(type(lr).__name__) is not type(lr) or isinstance(lr, Function) or None in map(described, within):
        return None
    return lr.to_dict()


@dataclass(frozen=True)
class InverseTime(Schedule):
    """lr / (1 + decay epoch), epochs from 0, where it is lr.

    >>> [round(InverseTime(0.2, decay=1.0)(0, epoch), 9) for epoch in range(5)]
    [0.2, 0.1, 0.066666667, 0.05, 0.04]
    """

    lr: float
    decay: float

    def __post_init__(self) -> None:
        _rates(self, "lr", "decay")

    def __call__(self, step: int, epoch: int) -> float:
        return self.lr / (1.0 + self.decay * epoch)


@dataclass(frozen=True)
class Exponential(Schedule):
    """lr base^epoch, epochs from 0, where it is lr; base in (0, 1].

    >>> [round(Exponential(0.2)(0, epoch), 8) for epoch in range(5)]
    [0.2, 0.19, 0.1805, 0.171475, 0.16290125]
    """

    lr: float
    base: float = 0.95

    def __post_init__(self) -> None:
        _rates(self, "lr")
        _share(self, "base")

    def __call__(self, step: int, epoch: int) -> float:
        return float(self.lr * self.base**epoch)


@dataclass(frozen=True)
class InverseSqrt(Schedule):
    """lr k / sqrt(n), where n counts epochs, or steps with per="step", from 1.

    >>> [round(InverseSqrt(0.2)(0, epoch), 6) for epoch in range(4)]
    [0.2, 0.141421, 0.11547, 0.1]
    """

    lr: float
    k: float = 1.0
    per: str = "epoch"

    def __post_init__(self) -> None:
        _rates(self, "lr", "k")
        _unit(self)

    def __call__(self, step: int, epoch: int) -> float:
        return self.lr * self.k / math.sqrt(1 + _count(self, step, epoch))


@dataclass(frozen=True)
class Staircase(Schedule):
    """lr factor^(epoch // every), epochs from 0: the rate falls by `factor`, in (0, 1], every `every` epochs.

    >>> [Staircase(0.2, every=2)(0, epoch) for epoch in range(5)]
    [0.2, 0.2, 0.1, 0.1, 0.05]
    """

    lr: float
    every: int
    factor: float = 0.5

    def __post_init__(self) -> None:
        _rates(self, "lr")
        _share(self, "factor")
        _whole(self, "every")

    def __call__(self, step: int, epoch: int) -> float:
        return float(self.lr * self.factor ** (epoch // self.every))


@dataclass(frozen=True)
class Table(Schedule):
    """A rate from each named epoch on, epochs from 0: the course's manual decay.

    rates: pairs (epoch, lr) in ascending order, the first at epoch 0; a mapping is taken too.

    >>> schedule = Table({0: 0.1, 10: 0.01})
    >>> schedule(0, 9), schedule(0, 10), schedule(0, 99)
    (0.1, 0.01, 0.01)
    """

    rates: Any

    def __post_init__(self) -> None:
        pairs = self.rates.items() if isinstance(self.rates, Mapping) else self.rates
        rows = tuple((epoch, non_negative("a rate of Table", lr)) for epoch, lr in pairs)
        epochs = [epoch for epoch, _ in rows]
        if not all(isinstance(epoch, int) for epoch in epochs) or epochs != sorted(set(epochs)) or epochs[:1] != [0]:
            raise ValueError(f"Table names epochs in ascending order, the first 0; got {epochs}")
        object.__setattr__(self, "rates", rows)

    def __call__(self, step: int, epoch: int) -> float:
        return float(next(lr for start, lr in reversed(self.rates) if start <= epoch))


@dataclass(frozen=True)
class Function(Schedule):
    """What a function of the epoch, from 0, gives; with per="step", of the step. It cannot be saved.

    >>> Function(lambda epoch: 0.1 / (1 + epoch))(0, 1)
    0.05
    """

    function: Callable[[int], float]
    per: str = "epoch"

    def __post_init__(self) -> None:
        _unit(self)
        if not callable(self.function):
            raise TypeError(f"Function takes a function of the {self.per}, got {self.function!r}")

    def __call__(self, step: int, epoch: int) -> float:
        return non_negative("lr", self.function(_count(self, step, epoch)))

    def to_dict(self) -> dict[str, Any]:
        """Raises TypeError: a function has no arguments that could be written down."""
        raise TypeError("a schedule made of a Python function cannot be saved; use Table, or another by name")


@dataclass(frozen=True)
class Cosine(Schedule):
    """floor + (lr - floor) (1 + cos(pi n / length)) / 2 for n up to `length`, then floor; n counts steps from 0.

    per="epoch" counts epochs. Source: Loshchilov and Hutter 2017, equation 5.

    >>> [round(Cosine(0.2, length=4)(step, 0), 6) for step in range(6)]
    [0.2, 0.170711, 0.1, 0.029289, 0.0, 0.0]
    """

    lr: float
    length: int
    floor: float = 0.0
    per: str = "step"

    def __post_init__(self) -> None:
        _rates(self, "lr", "floor")
        _whole(self, "length")
        _unit(self)

    def __call__(self, step: int, epoch: int) -> float:
        return _cosine(self.lr, self.floor, min(_count(self, step, epoch) / self.length, 1.0))


@dataclass(frozen=True)
class CosineRestarts(Schedule):
    """Cosine again and again: each cycle falls from lr towards floor and the next restarts at lr; n from 0.

    length: of the first cycle, in steps (per="epoch": epochs); multiply: how many times as long each next one is. The
    end of a cycle is where a snapshot ensemble keeps its model. Source: Loshchilov and Hutter 2017, equation 5; Huang
    et al. 2017.

    >>> [round(CosineRestarts(0.2, length=2)(step, 0), 6) for step in range(5)]
    [0.2, 0.1, 0.2, 0.1, 0.2]
    """

    lr: float
    length: int
    multiply: int = 1
    floor: float = 0.0
    per: str = "step"

    def __post_init__(self) -> None:
        _rates(self, "lr", "floor")
        _whole(self, "length", "multiply")
        _unit(self)

    def __call__(self, step: int, epoch: int) -> float:
        n, length = _count(self, step, epoch), self.length
        if self.multiply == 1:
            n %= length
        while n >= length:
            n, length = n - length, length * self.multiply
        return _cosine(self.lr, self.floor, n / length)


@dataclass(frozen=True)
class Triangular(Schedule):
    """From low up to high in `half` steps and down again, over and over; steps from 0, where it is low.

    per="epoch" counts epochs. Source: Smith 2017, section 3.2 (half is the paper's stepsize).

    >>> [round(Triangular(0.1, 0.3, half=2)(step, 0), 6) for step in range(6)]
    [0.1, 0.2, 0.3, 0.2, 0.1, 0.2]
    """

    low: float
    high: float
    half: int
    per: str = "step"

    def __post_init__(self) -> None:
        _rates(self, "low", "high")
        _whole(self, "half")
        _unit(self)
        if self.low > self.high:
            raise ValueError(f"Triangular needs low <= high, got {self.low} and {self.high}")

    def __call__(self, step: int, epoch: int) -> float:
        place = _count(self, step, epoch) % (2 * self.half)
        return self.low + (self.high - self.low) * (1.0 - abs(place - self.half) / self.half)


@dataclass(frozen=True)
class Warmup(Schedule):
    """The first `steps` steps rise in a line to what `after` gives: after(...) (step + 1) / steps; then `after` itself.

    after: a schedule, or a number. Its steps and epochs are counted from the beginning, not from the end of the rise.
    Source: Goyal et al. 2017, section 2.2.

    >>> [round(Warmup(0.1, steps=4)(step, 0), 6) for step in range(6)]
    [0.025, 0.05, 0.075, 0.1, 0.1, 0.1]
    """

    after: Schedule | float
    steps: int

    def __post_init__(self) -> None:
        if not isinstance(self.after, Schedule):
            _rates(self, "after")
        _whole(self, "steps")

    @property
    def counts_epochs(self) -> bool:  # type: ignore[override]
        """Whether `after` does."""
        return isinstance(self.after, Schedule) and self.after.counts_epochs

    def __call__(self, step: int, epoch: int) -> float:
        rate = self.after(step, epoch) if isinstance(self.after, Schedule) else self.after
        return rate * min((step + 1) / self.steps, 1.0)


_ALL: tuple[type[Schedule], ...] = (
    InverseTime,
    Exponential,
    InverseSqrt,
    Staircase,
    Table,
    Function,
    Cosine,
    CosineRestarts,
    Triangular,
    Warmup,
)
SCHEDULES: dict[str, type[Schedule]] = {kind.__name__: kind for kind in _ALL}
"""Every schedule by its name."""


def _cosine(lr: float, floor: float, part: float) -> float:
    return floor + (lr - floor) * (1.0 + math.cos(math.pi * part)) / 2.0


def _count(schedule: Any, step: int, epoch: int) -> int:
    return step if schedule.per == "step" else epoch


def _rates(schedule: Any, *names: str) -> None:
    for name in names:
        value = non_negative(f"{name} of {type(schedule).__name__}", getattr(schedule, name))
        object.__setattr__(schedule, name, value)


def _share(schedule: Any, name: str) -> None:
    value = number(f"{name} of {type(schedule).__name__}", getattr(schedule, name))
    if not 0 < value <= 1:
        raise ValueError(f"{name} of {type(schedule).__name__} must be in (0, 1], got {value}")


def _whole(schedule: Any, *names: str) -> None:
    for name in names:
        value = getattr(schedule, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} of {type(schedule).__name__} must be a positive integer, got {value!r}")


def _unit(schedule: Any) -> None:
    if schedule.per not in UNITS:
        raise ValueError(f"per of {type(schedule).__name__} is 'step' or 'epoch', got {schedule.per!r}")
    object.__setattr__(schedule, "counts_epochs", schedule.per == "epoch")
