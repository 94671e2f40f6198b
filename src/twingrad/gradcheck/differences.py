"""Two-sided differences along lines through theta: how far rounding lets them be trusted, and where a kink spoils them.

With the cost J known to within its noise e, (J(theta + h v) - J(theta - h v)) / 2h is the derivative along v to within
e / (sqrt(2) h) by rounding and h^2 J'''/6 by curvature. Where the cost has a kink between the two points it is neither
one-sided derivative: in theta = 1 + 1e-8 the difference of |theta - 1| at 1e-7 is 0.1. Then a narrower step tells.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from twingrad.gradcheck.report import GREAT_BELOW
from twingrad.random import stream_of
from twingrad.random.philox import words

Floats = NDArray[np.float64]

TRUST = 5.0
"""Differences of so many times the rounding are taken for real: 1 in 2 million normal numbers lies beyond."""
NARROWER = 3
"""So many times the step is divided by 10 where the difference and the gradient disagree."""
OF_GAP = math.sqrt(12.0)
"""The rounding of right - left, J(+) - 2 J + J(-) over the step, in that of the two-sided difference."""
NUDGE = 1e-4
"""How far from a theta on a kink the gradient is compared instead."""
POINTS, SPACINGS = 24, (1e-8, 1e-7, 1e-6)
"""Of the costs whose scatter tells their noise: so close together that a smooth cost is nearly a line between them."""


class Problem(Protocol):
    """A cost and its parameters, of which each evaluation sees the same batch, masks and running averages.

    names, shapes: of the parameters. values: theta, each parameter flat, on the host. evaluations: of the cost so far.
    mode: "train" or "eval" of a model, else "". frozen: parameters that are left out.
    """

    names: list[str]
    shapes: list[tuple[int, ...]]
    values: list[Floats]
    evaluations: int
    mode: str
    frozen: list[str]

    def put(self, number: int, where: Any, values: Any) -> None:
        """Write some values of a parameter."""

    def cost(self) -> float:
        """J at the values in place."""

    def gradient(self) -> list[Floats]:
        """What the backward pass gives, each parameter flat, on the host."""

    def crossed(self, number: int, line: Line, step: float) -> str:
        """How many inputs of which layers cross their kink between -step and +step; "" where that is not known."""


class Line(NamedTuple):
    """values[where] + t direction: through one element, or through all of a parameter. step: the largest |t|."""

    where: Any
    direction: Any
    step: float

    def of(self, vector: Floats) -> float:
        """The derivative along the line for a gradient."""
        return float(np.sum(vector[self.where] * self.direction))


class Quotient(NamedTuple):
    """A derivative along a line. rounding: its standard deviation. kink: whether one spoiled the widest step.

    stands: whether the point itself seems to be on one.
    """

    value: float
    rounding: float
    kink: bool = False
    stands: bool = False


class _Sides(NamedTuple):
    left: float
    right: float
    rounding: float

    @property
    def middle(self) -> float:
        return (self.left + self.right) / 2

    @property
    def gap(self) -> float:
        return self.right - self.left


def elements(values: Floats, epsilon: float) -> list[Line]:
    """A line through each element; the step is epsilon times the element's size, where that is above 1."""
    steps = epsilon * np.maximum(1.0, abs(values))
    return [Line(i, 1.0, float(step)) for i, step in enumerate((values + steps) - values)]


def directions(values: Floats, epsilon: float, count: int, seed: int, name: str) -> list[Line]:
    """`count` lines along which every element moves, up or down at random: each derivative holds every element's."""
    stream, size = stream_of(f"{name} gradcheck"), np.maximum(1.0, abs(values))
    drawn = [words(len(values), seed=seed, stream=stream, step=k) < 1 << 31 for k in range(count)]
    return [Line(slice(None), np.where(up, size, -size), epsilon) for up in drawn]


def cost_at(problem: Problem, number: int, line: Line, t: float) -> float:
    """J with one parameter moved by t along a line; theta is as before afterwards."""
    base = problem.values[number][line.where]
    problem.put(number, line.where, base + t * line.direction)
    try:
        return problem.cost()
    finally:
        problem.put(number, line.where, base)


def noise_of(problem: Problem, cost: float, seed: int) -> float:
    """The standard deviation of the rounding errors in J, from third differences along a line through all of theta.

    A smooth cost has none there; independent errors of variance e^2 have third differences of variance 20 e^2, of which
    the median is taken, so that a kink on the way does not count. Points so close that J is the same at most of them
    tell nothing, and are taken further apart. At least half a unit in the last place of J; of 1 for a J that does not
    move at all, such as that of a classifier without a doubt.
    Source: Moré and Wild 2011, Estimating Computational Noise, section 3.
    """
    lines = [directions(v, 1.0, 1, seed, f"{n} noise")[0] for n, v in zip(problem.names, problem.values, strict=True)]
    for spacing in SPACINGS:
        found = [_cost_along(problem, lines, k * spacing) for k in range(-POINTS // 2, POINTS // 2)]
        scatter = float(np.median(abs(np.diff(found, 3)))) / 0.6745 / math.sqrt(20.0)
        if scatter:
            break
    unit = cost if np.ptp(found) else max(1.0, abs(cost))
    return max(scatter, 0.5 * float(np.spacing(abs(unit))))


def _cost_along(problem: Problem, lines: list[Line], t: float) -> float:
    """J with all parameters moved; theta is as before afterwards."""
    try:
        for number, (line, base) in enumerate(zip(lines, problem.values, strict=True)):
            problem.put(number, line.where, base + t * line.direction)
        return problem.cost()
    finally:
        _move(problem, problem.values)


def quotient(problem: Problem, number: int, line: Line, expected: float, cost: float, noise: float) -> Quotient:
    """The derivative along a line, by a two-sided difference.

    Where that is not what is `expected`, narrower steps tell whether a kink lies between its two points: the
    differences then change with the step; and whether the point itself stands on one: then they never settle, or the
    two one-sided ones go on to differ.
    """
    now, kink = _sides(problem, number, line, line.step, cost, noise), False
    for power in range(1, NARROWER + 1):
        if _agree(expected, now.middle, now.rounding):
            return Quotient(now.middle, now.rounding, kink)
        before, now = now, _sides(problem, number, line, line.step / 10.0**power, cost, noise)
        change = abs(now.middle - before.middle)
        if change <= TRUST * (now.rounding + before.rounding):
            rests = abs(now.gap) > max(abs(before.gap) / 2, TRUST * OF_GAP * now.rounding)
            return Quotient(before.middle, before.rounding, kink, rests)
        kink = kink or _jumps(before, now, change)
    return Quotient(now.middle, now.rounding, kink, not _agree(expected, now.middle, now.rounding))


def _agree(expected: float, found: float, rounding: float) -> bool:
    """Whether a derivative is what was expected, to within its rounding and a tenth of what makes a great distance."""
    return abs(expected - found) <= TRUST * rounding + GREAT_BELOW / 10.0 * (abs(expected) + abs(found))


@contextmanager
def beside(problem: Problem, seed: int, side: float) -> Iterator[None]:
    """Within the block theta is another, NUDGE away in each element, up or down at random; side: 1, or -1 turns all."""
    here = problem.values
    drawn = [directions(v, 1.0, 1, seed, f"{n} beside")[0] for n, v in zip(problem.names, here, strict=True)]
    _move(problem, [values + side * NUDGE * line.direction for values, line in zip(here, drawn, strict=True)])
    try:
        yield
    finally:
        _move(problem, here)


def _move(problem: Problem, values: list[Floats]) -> None:
    problem.values = values
    for number, each in enumerate(values):
        problem.put(number, slice(None), each)


def _jumps(wide: _Sides, narrow: _Sides, change: float) -> bool:
    """Whether a kink changes the derivative between two steps: the gap of a smooth cost goes with the step."""
    excess, rounding = abs(wide.gap - 10.0 * narrow.gap), OF_GAP * (wide.rounding + 10.0 * narrow.rounding)
    return excess > max(change, abs(wide.gap) / 10.0, TRUST * rounding)


def _sides(problem: Problem, number: int, line: Line, step: float, cost: float, noise: float) -> _Sides:
    """The two one-sided differences at a step; rounding: of their mean, the two-sided one."""
    right = (cost_at(problem, number, line, step) - cost) / step
    left = (cost - cost_at(problem, number, line, -step)) / step
    return _Sides(left, right, noise / (math.sqrt(2.0) * step))
