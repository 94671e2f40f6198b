"""Which path operations are to take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

MODES = ("auto", "never", "require")

asked: ContextVar[str] = ContextVar("fused", default="auto")


@contextmanager
def fused(mode: str) -> Iterator[None]:
    """Choose the path within a `with` block: "auto" (a kernel where one accepts), "never", or "require".

    "never" is the reference side of every benchmark and parity test. "require" raises FusedError where an operation
    would fall back, so that nothing times or tests the wrong path.

    >>> import numpy as np
    >>> from twingrad import functional as F
    >>> with fused("never"):
    ...     F.relu(np.asarray([-1.0, 2.0]))
    array([0., 2.])
    """
    if mode not in MODES:
        raise ValueError(f"fused mode is one of {', '.join(MODES)}; got {mode!r}")
    token = asked.set(mode)
    try:
        yield
    finally:
        asked.reset(token)


def fused_mode() -> str:
    """The mode in force: "auto", "never" or "require"."""
    return asked.get()
