"""Counters: how often a random decision was taken, in a cell that compiled kernels can read."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad import recording


class Counter:
    """A non-negative integer that a training step advances, kept in a one-element int64 array.

    While a step is being captured the cell stays as it is and the recording counts the advances: the captured program
    adds them up at its end, so that a replay continues where the last one stopped.

    >>> counter = Counter()
    >>> counter.advance(), counter.advance(), counter.value
    (0, 1, 2)
    """

    __slots__ = ("__weakref__", "cell")

    def __init__(self, value: int = 0) -> None:
        self.cell: NDArray[np.int64] = np.zeros(1, np.int64)
        self.value = value

    @property
    def value(self) -> int:
        """The number of advances so far."""
        return int(self.cell[0])

    @value.setter
    def value(self, value: int) -> None:
        if not 0 <= value < 1 << 32:
            raise ValueError(f"a counter holds an integer in [0, 2**32), got {value}")
        self.cell[0] = value

    def advance(self) -> Tick:
        """The value before this advance; ValueError where the counter is full."""
        journal = recording.journal()
        return self._advance() if journal is None else journal.advance(self, self._advance)

    def _advance(self) -> Tick:
        current = recording.current()
        if current is not None:
            before = current.advance(self)
            self.check_room(before + 1)
            return Tick(self, self.value + before)
        self.check_room(1)
        tick = Tick(self, self.value)
        self.cell[0] += 1
        return tick

    def check_room(self, advances: int) -> None:
        """Raise ValueError unless so many advances leave the value in its range."""
        if self.value + advances >= 1 << 32:
            raise ValueError(
                f"a counter holds an integer in [0, 2**32), and {self.value} cannot advance by {advances}; "
                "begin again from 0 under another seed"
            )

    def __repr__(self) -> str:
        return f"Counter({self.value})"

    def __reduce__(self) -> Any:
        return Counter, (self.value,)


class Tick(int):
    """The value of a counter at one advance: an int that knows its counter, so that a captured kernel can read it."""

    counter: Counter

    def __new__(cls, counter: Counter, value: int) -> Tick:
        tick = super().__new__(cls, value)
        tick.counter = counter
        return tick
