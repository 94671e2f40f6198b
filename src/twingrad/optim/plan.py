"""Which segments of a model's flat buffers a step updates, and the table of their scalars."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad.nn import FlatParameters, Parameter


class Plan:
    """The segments of `flat`, S of them, as an optimizer of `parameters` sees them.

    mine: (S,) whether a segment is one of the parameters. active: (S,) whether the next step updates it.
    steps: (S,) how often each was updated. segments: (S, 2) offset and length, the latter 0 where it is not active.
    control: (S, columns) the scalars of the next step.
    """

    def __init__(
        self, flat: FlatParameters, parameters: Iterable[Parameter], steps: NDArray[np.int64], columns: int
    ) -> None:
        count = len(flat.parameters)
        self.flat, self.steps, self.segments = flat, steps, flat.segments.copy()
        self.mine: NDArray[np.bool_] = np.zeros(count, np.bool_)
        self.mine[[parameter.segment for parameter in parameters]] = True
        self.active = self.mine
        self.control: NDArray[np.float64] = np.zeros((count, columns))
        self.groups: list[tuple[Any, int, float, bool]] = []
        self._key: Any = None

    def choose(self, active: NDArray[np.bool_], shrinks: bool) -> None:
        """Group the active segments that share their scalars: same step number, learning-rate scale and decay.

        shrinks: whether there is any decay, for the parameters that take it.
        """
        key = (self.flat.settings, active.tobytes(), shrinks)
        if key == self._key:
            return
        groups: dict[tuple[int, float, bool], list[int]] = {}
        for i in np.flatnonzero(active).tolist():
            parameter = self.flat.parameters[i]
            groups.setdefault((int(self.steps[i]), parameter.lr_scale, shrinks and parameter.decay), []).append(i)
        everything = len(groups) == 1 and bool(active.all())
        self.groups = [
            (slice(None) if everything else members, members[0], lr_scale, decays)
            for (_, lr_scale, decays), members in groups.items()
        ]
        self._key, self.active = key, active
        self.segments[:, 1] = np.where(active, self.flat.segments[:, 1], 0)

    def advance(self, rate: float, row: Callable[[int, float, bool], tuple[float, ...]]) -> None:
        """Count a step of the active segments, and write row(step, lr, decays) of each."""
        self.steps += self.active
        for members, first, lr_scale, decays in self.groups:
            self.control[members] = row(int(self.steps[first]), rate * lr_scale, decays)

    def load(self, steps: Iterable[tuple[int, int]]) -> None:
        """Take over the steps of segments, as (segment, steps)."""
        for segment, count in steps:
            self.steps[segment] = count
        self._key = None
