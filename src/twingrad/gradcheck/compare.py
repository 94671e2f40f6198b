"""The gradient and the differences of one parameter, compared."""

from __future__ import annotations

import math

import numpy as np

from twingrad.gradcheck.differences import Floats, Problem, directions, elements, quotient
from twingrad.gradcheck.report import GREAT_BELOW, Checked

ROUNDING = 4.0
"""So many standard deviations of its rounding are taken off a distance."""


class Compared:
    """The gradient and the differences of parameter `number`: along its elements, or along `samples` directions.

    gradient, difference: of each line; those of directions scaled so that their norm is near the gradient's own.
    """

    def __init__(
        self,
        problem: Problem,
        number: int,
        gradient: Floats,
        *,
        cost: float,
        noise: float,
        epsilon: float,
        samples: int | None,
        seed: int,
    ) -> None:
        name, self.theta = problem.names[number], problem.values[number]
        self.problem, self.number, self.directions = problem, number, samples is not None
        if samples is None:
            self.lines = elements(self.theta, epsilon)
        else:
            self.lines = directions(self.theta, epsilon, samples, seed, name)
        expected = [line.of(gradient) for line in self.lines]
        pairs = zip(self.lines, expected, strict=True)
        self.quotients = [quotient(problem, number, line, g, cost, noise) for line, g in pairs]
        self.scale = 1.0 if samples is None else 1.0 / math.sqrt(samples)
        self.gradient = self.scale * np.asarray(expected, np.float64)
        self.difference = self.scale * np.asarray([each.value for each in self.quotients], np.float64)
        self.rounding = self.scale * np.asarray([each.rounding for each in self.quotients], np.float64)

    def checked(self) -> Checked:
        """The report's entry."""
        apart = abs(self.gradient - self.difference)
        place = int(np.argmax(np.where(np.isnan(apart), np.inf, apart))) if len(apart) else None
        shape, norms = self.problem.shapes[self.number], norm(self.gradient) + norm(self.difference)
        off, rounding = (
            distance(self.gradient, self.difference),
            ROUNDING * norm(self.rounding) / norms if norms else 0.0,
        )
        return Checked(
            self.problem.names[self.number],
            shape,
            len(self.theta),
            len(self.lines),
            self.directions,
            off,
            rounding,
            tuple(self._kink(i) for i, each in enumerate(self.quotients) if each.kink),
            None if self.directions or place is None else _index(place, shape),
            float("nan") if place is None else float(self.gradient[place] / self.scale),
            float("nan") if place is None else float(self.difference[place] / self.scale),
            "" if off - rounding < GREAT_BELOW else self._hint(),
        )

    def _kink(self, i: int) -> str:
        line = self.lines[i]
        shape = self.problem.shapes[self.number]
        where = f" direction {i}" if self.directions else str(list(_index(i, shape))) if shape else ""
        layers = self.problem.crossed(self.number, line, line.step)
        return f"{where} ({layers})" if layers else where

    def _hint(self) -> str:
        """What explains the difference to a thousandth: no gradient, a factor, or a penalty left out."""
        g, d = self.gradient, self.difference
        if not np.isfinite(g).all():
            return "the gradient is not finite"
        if not np.isfinite(d).all():
            return "the cost is not finite beside theta"
        if not g.any():
            return "no gradient arrives"
        theta = self.scale * np.asarray([line.of(self.theta) for line in self.lines])
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
