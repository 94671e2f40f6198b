"""What a gradient check found: numbers for each parameter, the course's verdicts, and a table."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

GREAT, LOOK_AGAIN, WRONG = "great", "look again", "WRONG"
GREAT_BELOW, WRONG_FROM = 1e-7, 1e-3
"""Of the relative distance: great below 1e-7, wrong from 1e-3; around 1e-5 it may be right, and wants a look."""
SHOWN_KINKS = 5


@dataclass(frozen=True)
class Checked:
    """One parameter, or one argument of a function.

    lines: how many differences were taken, along elements (of `size`) or along random `directions` (True).
    distance: ||g - g~|| / (||g|| + ||g~||) over them, with g the gradient and g~ the differences; NaN where one of
    them is not finite. rounding: how much of it the rounding of the cost explains.
    kinks: elements or directions with a kink within their step, and on_kinks, those that stand on one and were compared
    beside it; with the layers that have it, where known.
    worst: the element of the largest |g - g~|, or None; gradient, difference: g and g~ there.
    hint: what the error looks like, or "".
    """

    name: str
    shape: tuple[int, ...]
    size: int
    lines: int
    directions: bool
    distance: float
    rounding: float
    kinks: tuple[str, ...]
    on_kinks: tuple[str, ...]
    worst: tuple[int, ...] | None
    gradient: float
    difference: float
    hint: str

    @property
    def verdict(self) -> str:
        """ "great", "look again" or "WRONG", by the distance less what rounding explains of it."""
        left = self.distance - self.rounding
        if left < GREAT_BELOW:
            return GREAT
        return LOOK_AGAIN if left < WRONG_FROM else WRONG

    @property
    def coverage(self) -> str:
        """How much was checked."""
        if self.directions:
            return f"{self.lines} directions"
        return f"{self.lines} of {self.size}"


@dataclass(frozen=True)
class GradientReport:
    """What `check_grads` found.

    parameters: one entry each, in order. distance: the relative distance over all of them. cost: J at theta, noise: the
    standard deviation of its rounding. epsilon: the step. evaluations: of the cost. mode: "train" or "eval" of a model,
    or "". frozen: parameters that were left out. weight_decay: of the penalty in the cost.
    """

    parameters: tuple[Checked, ...]
    distance: float
    cost: float
    noise: float
    epsilon: float
    evaluations: int
    mode: str = ""
    frozen: tuple[str, ...] = ()
    weight_decay: float = 0.0

    @property
    def verdict(self) -> str:
        """The worst of the parameters'."""
        return self.worst.verdict

    @property
    def ok(self) -> bool:
        """Whether every parameter's verdict is "great"."""
        return self.verdict == GREAT

    @property
    def worst(self) -> Checked:
        """The parameter that is furthest off."""
        return max(self.parameters, key=_off)

    @property
    def wrong(self) -> tuple[str, ...]:
        """The names of the parameters whose verdict is "WRONG"."""
        return tuple(each.name for each in self.parameters if each.verdict == WRONG)

    def to_dict(self) -> dict[str, Any]:
        """Everything as numbers, texts, lists and dicts, for JSON; NaN stays NaN."""
        parameters = [asdict(each) | {"verdict": each.verdict} for each in self.parameters]
        return (
            {"verdict": self.verdict, "ok": self.ok, "wrong": list(self.wrong)}
            | asdict(self)
            | {"parameters": parameters}
        )

    def __repr__(self) -> str:
        head = f"gradient check: {self.verdict}, distance {self.distance:.1e}"
        return "\n".join([head, *_table(self.parameters), *self._kinks(), *self._facts()])

    def _kinks(self) -> list[str]:
        found = [f"  kink within the step: {each.name}{kink}" for each in self.parameters for kink in each.kinks]
        found += [f"  on a kink, compared beside it: {p.name}{kink}" for p in self.parameters for kink in p.on_kinks]
        more = len(found) - SHOWN_KINKS
        return found if more <= 0 else [*found[:SHOWN_KINKS], f"  and {more} more kinks"]

    def _facts(self) -> list[str]:
        mode = f", {self.mode} mode" if self.mode else ""
        decay = f" with an L2 penalty of {self.weight_decay:g}" if self.weight_decay else ""
        facts = [f"  cost {self.cost:.6g}{decay}{mode}; epsilon {self.epsilon:g}, {self.evaluations:,} evaluations"]
        return facts + ([f"  frozen, not checked: {', '.join(self.frozen)}"] if self.frozen else [])


def _off(checked: Checked) -> float:
    left = checked.distance - checked.rounding
    return left if left == left else float("inf")


def _table(parameters: tuple[Checked, ...]) -> list[str]:
    rows = [("", "shape", "checked", "distance", "rounding", "verdict")]
    for each in parameters:
        rows.append(
            (each.name, str(each.shape), each.coverage, f"{each.distance:.1e}", _rounding(each), _verdict(each))
        )
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    aligned = [[cell.ljust(width) for cell, width in zip(row, widths, strict=False)] for row in rows]
    return [("  " + "  ".join([*cells, row[5]])).rstrip() for cells, row in zip(aligned, rows, strict=True)]


def _rounding(each: Checked) -> str:
    return "all" if each.rounding >= 1 else f"{each.rounding:.0e}"


def _verdict(each: Checked) -> str:
    """The verdict, and what led to it where that is not a small distance."""
    if each.verdict == GREAT:
        return f"{GREAT} (0 within rounding)" if each.rounding >= 1 else GREAT
    where = f"at {list(each.worst)} " if each.worst else ""
    numbers = f"{where}the gradient is {each.gradient:.6g}, the difference {each.difference:.6g}"
    return f"{each.verdict}: {each.hint}; {numbers}" if each.hint else f"{each.verdict}: {numbers}"
