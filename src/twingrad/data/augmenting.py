"""Augmentation within training: which draws belong to which batch."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from twingrad.namespace import Array
from twingrad.random import stream_of, words

Augment = Callable[..., Array]
"""(x, *, seed, step) -> x: an `Augmentation`, or a function of the same arguments."""

STREAM = stream_of("augment")


def of_batch(augment: Augment | None, x: Array, *, seed: int, epoch: int, batch: int) -> Array:
    """x as batch number `batch` (from 0) of epoch `epoch` (from 0) of a run with that seed sees it.

    A function of (seed, epoch, batch) alone, so that a run that is cut short and resumed sees the same. The seed of the
    epoch is 64 random bits of (seed, epoch), the step is the batch. None changes nothing.
    """
    if augment is None:
        return x
    return augment(x, seed=_seed_of_epoch(seed, epoch), step=batch)


@lru_cache(1)
def _seed_of_epoch(seed: int, epoch: int) -> int:
    low, high = (int(word) for word in words(2, seed=seed, stream=STREAM, step=epoch))
    return high << 32 | low


def described(augment: Any) -> str | None:
    """What a checkpoint compares: an augmentation's numbers, or the name of a function."""
    if augment is None:
        return None
    named = getattr(augment, "__qualname__", None)
    return named if named is not None else repr(augment)
