"""The gradient and the differences of one parameter, compared."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from twingrad.gradcheck.differences import Floats, Problem, Quotient, directions, elements, quotient
from twingrad.gradcheck.report import GREAT_BELOW, Checked

ROUNDING = 4.0
"""So many standard deviations of its rounding are taken off a distance."""


class Place(NamedTuple):
    """A theta's gradients, its cost, and the noise of that."""

    gradients: list[Floats]
    cost: float
    noise: float


class Compared:
    """The gradient and the differences of parameter `number`: along its elements, or along `samples` directions.

    gradient, difference, rounding: of each line. kinks, on_kinks: the lines with a kink within the step, and those
    that stand on one.
    """

    def __init__(
        self, problem: Problem, number: int, place: Place, epsilon: float, samples: int | None, seed: int
    ) -> None:
        name, self.theta = problem.names[number], problem.values[number]
        self.problem, self.number, self.directions = problem, number, samples is not None
        if samples is None:
            self.lines = elements(self.theta, epsilon)
        else:
            self.lines = directions(self.theta, epsilon, samples, seed, name)
        self.kinks: list[int] = []
        self.on_kinks: list[int] = []
        self._beside: dict[int, list[tuple[float, Quotient]]] = {}
        self.gradient, self.difference, self.rounding = (np.zeros(len(self.lines)) for _ in range(3))
        for i in range(len(self.lines)):
            expected, found = self._along(i, place)
            self._keep(i, expected, found)
            if found.stands:
                self.on_kinks.append(i)
            elif found.kink:
                self.kinks.append(i)

    def look_beside(self, place: Place) -> None:
        """Compare the lines that stand on a kink, where there is no derivative, at a place beside theta."""
        for i in self.on_kinks:
            self._beside.setdefault(i, []).append(self._along(i, place))

    def settle(self) -> None:
        """For lines that stand on a kink take the numbers from beside: of the place where they are further apart."""
        for i, pairs in self._beside.items():
            self._keep(i, *max(pairs, key=lambda pair: (abs(pair[0] - pair[1].value), abs(pair[0]))))

    def _along(self, i: int, place: Place) -> tuple[float, Quotient]:
        """The gradient and the difference along a line, at a place."""
        expected = self.lines[i].of(place.gradients[self.number])
        return expected, quotient(self.problem, self.number, self.lines[i], expected, place.cost, place.noise)

    def _keep(self, i: int, expected: float, found: Quotient) -> None:
        self.gradient[i], self.difference[i], self.rounding[i] = expected, found.value, found.rounding

    def of_all(self) -> tuple[Floats, Floats]:
        """Gradient and difference, those along directions scaled so that their norms are near the gradient's own."""
        scale = 1.0 / math.sqrt(len(self.lines)) if self.directions else 1.0
        return scale * self.gradient, scale * self.difference

    def checked(self) -> Checked:
        """The report's entry."""
        apart = abs(self.gradient - self.difference)
        worst = int(np.argmax(np.where(np.isnan(apart), np.inf, apart))) if len(apart) else None
        shape = self.problem.shapes[self.number]
        return Checked(
            name=self.problem.names[self.number],
            shape=shape,
            size=len(self.theta),
            lines=len(self.lines),
            directions=self.directions,
            distance=distance(self.gradient, self.difference),
            rounding=self._explained(),
            kinks=tuple(map(self._kink, self.kinks)),
            on_kinks=tuple(map(self._kink, self.on_kinks)),
            worst=None if self.directions or worst is None else _index(worst, shape),
            gradient=float("nan") if worst is None else float(self.gradient[worst]),
            difference=float("nan") if worst is None else float(self.difference[worst]),
            hint="" if self._off() < GREAT_BELOW else self._hint(),
        )

    def _off(self) -> float:
        return distance(self.gradient, self.difference) - self._explained()

    def _explained(self) -> float:
        """How much of the distance rounding explains."""
        norms = norm(self.gradient) + norm(self.difference)
        return ROUNDING * norm(self.rounding) / norms if norms else 0.0

    def _kink(self, i: int) -> str:
        line = self.lines[i]
        shape = self.problem.shapes[self.number]
        where = f" direction {i}" if self.directions else str(list(_index(i, shape))) if shape else ""
        layers = self.problem.crossed(self.number, line, line.step)
        return f"{where} ({layers})" if layers else where

    def _hint(self) -> str:
        """What explains an error to a thousandth: no gradient, a factor, or a penalty left out."""
        g, d = self.gradient, self.difference
        if not np.isfinite(g).all():
            return "the gradient is not finite"
        if not np.isfinite(d).all():
            return "the cost is not finite beside theta"
        if not g.any():
            return "no gradient arrives"
        theta = np.asarray([line.of(self.theta) for line in self.lines])
        factor, lack = _fit(g, d), _fit(d - g, theta)
        if factor is not None:
            return f"{factor:.4g} times what it should be"
        return "" if lack is None else f"{abs(lack):.4g} times the parameter is {'missing' if lack > 0 else 'too much'}"


def _fit(a: Floats, b: Floats) -> float | None:
    """c where a = c b to a thousandth, b not 0."""
    square = float(b @ b)
    c = float(a @ b) / square if square else 0.0
    return c if c and norm(a - c * b) < 1e-3 * norm(a) else None


def _index(place: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(place, shape)) if shape else ()


def norm(a: Floats) -> float:
    return float(np.linalg.norm(a))


def distance(g: Floats, d: Floats) -> float:
    """||g - d|| / (||g|| + ||d||); 0 where both are 0."""
    total = norm(g) + norm(d)
    return norm(g - d) / total if total else 0.0
