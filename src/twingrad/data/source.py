"""Batches that the user makes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad.data.loader import Batch
from twingrad.data.prefetch import Prefetch
from twingrad.data.rows import on_host

NAMES = ("x", "y", "weight")


class BatchSource:
    """Any iterable of batches (x, y) or (x, y, weight), checked as they come.

    source: an object that can be iterated anew for each epoch (a list, an object with `__iter__`), or a function of the
        epoch (from 0) that returns an iterable; a generator serves one epoch. For a run that can be resumed to the
        same bits it must give the same batches each time that it is asked for an epoch.
    classes: for integer labels (B,), their number, so that labels outside [0, classes) are told.
    name: what messages call it.

    x: (B, ...) floating point or integers; y: (B,) or (B, K); weight: (B,), finite and at least 0. The shapes of an
    example and the dtypes are those of the first batch.

    >>> source = BatchSource([(np.zeros((2, 3)), np.array([0, 1]))])
    >>> [y.tolist() for epoch in range(2) for x, y in source.epoch(epoch)]
    [[0, 1], [0, 1]]
    """

    def __init__(
        self,
        source: Iterable[Any] | Callable[[int], Iterable[Any]],
        *,
        classes: int | None = None,
        name: str = "batches",
    ) -> None:
        if not callable(source) and not hasattr(source, "__iter__"):
            raise TypeError(f"{name}: an iterable of batches, or a function of the epoch, is due; got {source!r}")
        self.source, self.classes, self.name = source, classes, name
        self._check: Callable[[NDArray[Any], str], None] | None = None
        self._first: tuple[tuple[Any, ...], ...] | None = None
        self._used = False

    def epoch(self, epoch: int = 0, start_batch: int = 0, *, prefetch: int = 2) -> Prefetch[Batch]:
        """The batches of one epoch after the first `start_batch`, made ready by a thread as `loader` does.

        Raises (here or while it is iterated):
            ValueError: no batches (an exhausted generator), too few of them, one that is not as it should be, by
                number, rule and value.
            TypeError: an item that is no batch.
        """
        return Prefetch(self._checked(self._begin(epoch), epoch, start_batch), prefetch)

    def checking(self, check: Callable[[NDArray[Any], str], None]) -> BatchSource:
        """The same batches, of each of which check(y, who) is asked too; it raises, with `who` to name the batch."""
        twin = copy.copy(self)
        twin._check = check
        return twin

    def _begin(self, epoch: int) -> Iterator[Any]:
        if callable(self.source):
            return iter(self.source(epoch))
        found = iter(self.source)
        if found is self.source and self._used:
            raise ValueError(
                f"{self.name}: this generator has been read already and cannot begin epoch {epoch} anew; give a list, "
                "an object whose __iter__ begins anew, or a function of the epoch that returns a generator"
            )
        self._used = True
        return found

    def _checked(self, found: Iterator[Any], epoch: int, start_batch: int) -> Iterator[Batch]:
        number = -1
        try:
            for number, item in enumerate(found):
                if number >= start_batch:
                    yield self._batch(item, f"{self.name}: batch {number} of epoch {epoch}")
        finally:
            close = getattr(found, "close", None)
            if close is not None:
                close()
        if number < 0:
            raise ValueError(
                f"{self.name}: epoch {epoch} has no batches; is it a generator that has been read already? "
                "Give a list, or a function of the epoch that returns a generator"
            )
        if number + 1 < start_batch:
            raise ValueError(f"{self.name}: epoch {epoch} ends after {number + 1} batches, before batch {start_batch}")

    def _batch(self, item: Any, who: str) -> Batch:
        if not isinstance(item, tuple | list) or len(item) not in (2, 3):
            raise TypeError(f"{who} must be a tuple (x, y) or (x, y, weight); got {_told(item)}")
        parts = tuple(np.asarray(on_host(part, f"{who}: {name}")) for name, part in zip(NAMES, item, strict=False))
        x, y, *weight = parts
        for name, array in zip(NAMES, parts, strict=False):
            _check_numbers(array, f"{who}: {name}")
        if x.ndim < 2 or y.ndim not in (1, 2) or not len(x) or len(x) != len(y):
            raise ValueError(f"{who}: x must be (B, D) and y (B,) or (B, K), B at least 1; got {x.shape} and {y.shape}")
        if weight and (weight[0].shape != (len(x),) or (weight[0] < 0).any()):
            raise ValueError(f"{who}: weight must be ({len(x)},), at least 0; got {weight[0].shape} {weight[0].min()}")
        self._check_like_first(parts, who)
        if self.classes and y.ndim == 1 and y.dtype.kind in "iu" and (y.min() < 0 or y.max() >= self.classes):
            row = int(np.flatnonzero((y < 0) | (y >= self.classes))[0])
            raise ValueError(f"{who}: labels must lie in [0, {self.classes}); row {row} has label {y[row]}")
        if self._check is not None:
            self._check(y, who)
        return parts

    def _check_like_first(self, parts: tuple[NDArray[Any], ...], who: str) -> None:
        found = tuple((array.shape[1:], array.dtype) for array in parts)
        self._first = self._first or found
        if found != self._first:
            told = [", ".join(f"{shape} {dtype}" for shape, dtype in each) for each in (self._first, found)]
            raise ValueError(
                f"{who}: its examples differ from those of the first batch: {told[0]} before, now {told[1]}"
            )


def _check_numbers(array: NDArray[Any], who: str) -> None:
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{who} must hold numbers; got {array.dtype}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(f"{who} must be finite; row {place[0]}, column {place[1:]} holds {array[place]}")


def _told(item: Any) -> str:
    return f"{type(item).__name__} of {len(item)}" if isinstance(item, tuple | list) else type(item).__name__
