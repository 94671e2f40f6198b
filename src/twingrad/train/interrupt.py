"""Ctrl-C and SIGTERM that wait for the end of a step."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from twingrad.train.history import History


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM ended `fit`. The model holds the best parameters so far; `history` tells how far it came.

    number: of the signal.
    """

    def __init__(self, message: str, history: History, number: int = signal.SIGINT) -> None:
        super().__init__(message)
        self.history, self.number = history, number


class Bell:
    """Whether a signal has come: so no step is torn in two. A second one raises KeyboardInterrupt at once."""

    def __init__(self) -> None:
        self.number = 0

    def ring(self, number: int, frame: FrameType | None) -> None:
        """The signal handler."""
        if self.number:
            raise KeyboardInterrupt
        self.number = number

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal has come."""
        if self.number:
            raise KeyboardInterrupt


def _default(number: int) -> bool:
    ours = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    return signal.getsignal(number) is ours


@contextmanager
def bell() -> Iterator[Bell]:
    """A Bell that SIGINT and SIGTERM ring within the block.

    A signal with a handler of the user's own keeps it; in a thread other than the main one (whose handlers cannot be
    set) nothing is changed.
    """
    rings, previous = Bell(), {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            if _default(number):
                previous[number] = signal.signal(number, rings.ring)
    except ValueError:
        pass
    try:
        yield rings
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
