"""Ctrl-C that waits for the end of a step."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from twingrad.train.history import History


class Interrupted(KeyboardInterrupt):
    """Ctrl-C ended `fit`. The model holds the best parameters so far; `history` tells how far it came."""

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history


class Bell:
    """Whether Ctrl-C was pressed: so no step is torn in two. A second Ctrl-C raises KeyboardInterrupt at once."""

    def __init__(self) -> None:
        self.rung = False

    def ring(self, number: int, frame: FrameType | None) -> None:
        """The signal handler."""
        if self.rung:
            raise KeyboardInterrupt
        self.rung = True

    def check(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed."""
        if self.rung:
            raise KeyboardInterrupt


@contextmanager
def bell() -> Iterator[Bell]:
    """A Bell that SIGINT rings within the block.

    Where SIGINT has a handler other than Python's own, or in a thread other than the main one (whose handlers cannot be
    set), nothing is changed and Ctrl-C does what it did.
    """
    rings = Bell()
    try:
        ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        previous = signal.signal(signal.SIGINT, rings.ring) if ours else None
    except ValueError:
        previous = None
    try:
        yield rings
    finally:
        if previous is not None:
            signal.signal(signal.SIGINT, previous)
