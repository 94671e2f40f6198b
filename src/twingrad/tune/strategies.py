"""Where to look next. Each strategy is a function of the seed, the trial's index and what earlier trials came to.

So the same search gives the same trials, however many processes share them and however often it is killed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from twingrad.random import stream_of, uniform
from twingrad.tune.scales import Choice
from twingrad.tune.space import Space

STREAM = stream_of("tune.point")
BEST = 3
"""Choices are kept that are among the best 1/BEST of the trials."""


class Done(NamedTuple):
    """A finished trial: its values, and its cost, of which less is better; infinity where there is none."""

    values: dict[str, Any]
    cost: float


class Random:
    """Every point drawn by itself: each hyperparameter has as many different values as there are trials.

    Source: Bergstra and Bengio 2012, "Random search for hyper-parameter optimization".
    """

    def __init__(self, space: Space, trials: int, seed: int) -> None:
        self.space, self.trials, self.seed = space, trials, seed

    @property
    def even(self) -> int:
        """The first so many trials are spread evenly over the space."""
        return self.trials

    def needs(self, index: int) -> int:
        """So many of the first trials must be finished before this one can be told."""
        return 0

    def point(self, index: int, done: Sequence[Done]) -> dict[str, Any]:
        """The values of a trial; done: the trials that it needs."""
        units = self._units(index)
        return {name: scale.at(u) for (name, scale), u in zip(self.space.items(), units, strict=True)}

    def _units(self, index: int) -> list[float]:
        found: list[float] = uniform((len(self.space),), seed=self.seed, stream=STREAM, step=index).tolist()
        return found


class Grid(Random):
    """Every combination of a few values of each hyperparameter, evenly on its scale.

    There are as many values of each as the number of trials allows, two at least, and all values of a choice.
    Raises ValueError for too few trials.
    """

    def __init__(self, space: Space, trials: int, seed: int) -> None:
        super().__init__(space, trials, seed)
        chosen = math.prod(len(scale.values) for scale in space.values() if isinstance(scale, Choice))
        free = sum(not isinstance(scale, Choice) for scale in space.values())
        least = chosen * 2**free
        if trials < least:
            values = "two values" if free else "each value"
            raise ValueError(
                f"a grid over {', '.join(space)} needs at least {least} trials, {values} of each; got {trials}"
            )
        each = math.floor((trials / chosen) ** (1 / free) + 1e-9) if free else 1
        self.points = list(itertools.product(*(scale.grid(each) for scale in space.values())))
        self.trials = len(self.points)

    def point(self, index: int, done: Sequence[Done]) -> dict[str, Any]:
        return dict(zip(self.space, self.points[index], strict=True))


class CoarseToFine(Random):
    """Rounds of random search, each in a box around the best trial so far, a third as wide in every direction.

    So a round samples 3^d times as densely as the one before, in d dimensions. A box that would leave the space is
    moved inside. Of a choice, the values stay that are among the best third of the trials.
    """

    rounds, zoom = 3, 1 / 3

    @property
    def even(self) -> int:
        return self._begin(1)

    def needs(self, index: int) -> int:
        return self._begin(self._round(index))

    def point(self, index: int, done: Sequence[Done]) -> dict[str, Any]:
        number, best = self._round(index), sorted(done, key=lambda each: each.cost)
        if not best or math.isinf(best[0].cost):
            return super().point(index, done)
        kept = best[: max(1, len(best) // BEST)]
        found = {}
        for (name, scale), u in zip(self.space.items(), self._units(index), strict=True):
            if isinstance(scale, Choice):
                left = [value for value in scale.values if any(each.values[name] == value for each in kept)]
                found[name] = Choice(*left).at(u)
            else:
                width = self.zoom**number
                low = min(max(scale.place(best[0].values[name]) - width / 2, 0.0), 1.0 - width)
                found[name] = scale.at(low + u * width)
        return found

    def _round(self, index: int) -> int:
        return min(self.rounds - 1, index * self.rounds // self.trials)

    def _begin(self, number: int) -> int:
        return -(-number * self.trials // self.rounds)


STRATEGIES: dict[str, type[Random]] = {"random": Random, "grid": Grid, "coarse-to-fine": CoarseToFine}
"""Each by its name; Optuna's own "tpe" stands beside them."""
TPE = "tpe"
