"""The train and the dev part as a run sees them: batches to learn from, chunks to measure on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from twingrad import backends
from twingrad.augment.of_batch import Augment, of_batch
from twingrad.data import BatchSource, Dataset, Prefetch, Preprocessing, batch_bounds, batches, loader
from twingrad.data.rows import Rows
from twingrad.namespace import namespace_of
from twingrad.train.objective import Objective
from twingrad.train.placement import device_of_model, placed, raw_inputs

Batch = tuple[Any, ...]
"""(x, targets), or (x, targets, weights), on the model's device and as its loss takes them."""


class Part(Protocol):
    """What a run needs of its data.

    batches: of one epoch; None where that is not known before it ends. full: the size of most batches, or None.
    """

    @property
    def batches(self) -> int | None:
        """See above."""

    @property
    def full(self) -> int | None:
        """See above."""

    def epoch(self, epoch: int, start_batch: int) -> Iterator[Batch]:
        """The batches of an epoch (from 0) after the first `start_batch`."""

    def chunks(self, size: int) -> Iterator[tuple[Any, Any, NDArray[Any]]]:
        """(x, targets, raw targets on the host) of all examples, once and in order."""


class Resident:
    """A data set that is put on the model's device as a whole, once."""

    def __init__(self, model: Any, objective: Objective, data: Dataset, order: Order, weight: Any = None) -> None:
        self.x = placed(model, raw_inputs(data.x[:], objective.preprocessing, tuple(data.feature_names)))
        self.y, self.raw = placed(model, objective.targets(data.y), keep_integers=True), data.y
        self.weight = None if weight is None else placed(model, weight)
        self.backend, self.order = backends.get(device_of_model(model)), order
        self.batches, self.full = order.count(len(data))

    def epoch(self, epoch: int, start_batch: int) -> Iterator[Batch]:
        """See `Part`."""
        xp = namespace_of(self.x)
        arrays = [self.x, self.y] + ([] if self.weight is None else [self.weight])
        for index in self.order.indices(len(self.raw), epoch, start_batch):
            chosen = self.backend.asarray(index)
            yield tuple(xp.take(array, chosen, axis=0) for array in arrays)

    def chunks(self, size: int) -> Iterator[tuple[Any, Any, NDArray[Any]]]:
        """See `Part`."""
        for start in range(0, len(self.raw), size):
            part = slice(start, start + size)
            yield self.x[part], self.y[part], self.raw[part]


class Streamed:
    """A data set that stays where it is: each batch is read, preprocessed and moved, by a thread ahead of its use."""

    def __init__(
        self,
        model: Any,
        objective: Objective,
        data: Dataset,
        order: Order,
        weight: Any = None,
        prefetch: int = 2,
        augment: Augment | None = None,
    ) -> None:
        self.model, self.objective, self.data, self.order = model, objective, data, order
        self.weight, self.prefetch, self.augment = weight, prefetch, augment
        self.batches, self.full = order.count(len(data))

    def epoch(self, epoch: int, start_batch: int) -> Iterator[Batch]:
        """See `Part`."""
        options = {"start_batch": start_batch, "weight": self.weight, "prefetch": self.prefetch}
        raw = loader(self.data, **options, **self.order.options(len(self.data), epoch))
        with raw as found:
            for batch, (x, y, *weight) in enumerate(found, start_batch):
                yield self._placed(self._changed(epoch, batch), x, y, *weight)

    def chunks(self, size: int) -> Iterator[tuple[Any, Any, NDArray[Any]]]:
        """See `Part`: as they are, whatever changes the batches."""
        with Prefetch(self._slices(size), self.prefetch) as found:
            for x, y in found:
                yield *self._placed(None, x, y), y

    def _changed(self, epoch: int, batch: int) -> Change:
        return change_of(self.augment, self.order.seed, epoch, batch)

    def _slices(self, size: int) -> Iterator[tuple[Any, NDArray[Any]]]:
        for start in range(0, len(self.data), size):
            part = self.data.take(slice(start, start + size))
            yield part.x[:], part.y

    def _placed(self, change: Change, x: Any, y: NDArray[Any], *weight: NDArray[Any]) -> Any:
        x = inputs(self.model, x, self.objective.preprocessing, tuple(self.data.feature_names), change)
        targets = placed(self.model, self.objective.targets(y), keep_integers=True)
        return (x, targets, *(placed(self.model, each) for each in weight))


class Given:
    """Batches that the user makes: an iterable, or a function of the epoch; see `twingrad.data.BatchSource`."""

    def __init__(
        self,
        model: Any,
        objective: Objective,
        source: BatchSource,
        prefetch: int = 2,
        augment: Augment | None = None,
        seed: int = 0,
    ) -> None:
        self.model, self.objective, self.source, self.prefetch = model, objective, source, prefetch
        self.augment, self.seed = augment, seed
        self.batches: int | None = None
        self.full: int | None = None

    def epoch(self, epoch: int, start_batch: int) -> Iterator[Batch]:
        """See `Part`."""
        with self.source.epoch(epoch, start_batch, prefetch=self.prefetch) as found:
            for batch, (x, y, *weight) in enumerate(found, start_batch):
                yield self._placed(change_of(self.augment, self.seed, epoch, batch), x, y, *weight)

    def chunks(self, size: int) -> Iterator[tuple[Any, Any, NDArray[Any]]]:
        """See `Part`: the batches of epoch 0 as they come, whatever the size or changes them."""
        with self.source.epoch(0, prefetch=self.prefetch) as found:
            for x, y, *_ in found:
                yield *self._placed(None, x, y), y

    def _placed(self, change: Change, x: NDArray[Any], y: NDArray[Any], *weight: NDArray[Any]) -> Any:
        x = inputs(self.model, x, self.objective.preprocessing, (), change)
        targets = placed(self.model, self.objective.targets(y), keep_integers=True)
        return (x, targets, *(placed(self.model, each) for each in weight))


class Order:
    """Which examples make a batch: a function of (seed, epoch)."""

    def __init__(self, batch_size: int, seed: int = 0, smallest: int = 1) -> None:
        self.batch_size, self.seed, self.smallest = batch_size, seed, smallest

    def options(self, n: int, epoch: int) -> dict[str, Any]:
        """Arguments of `twingrad.data.loader`."""
        size = min(self.batch_size, n)
        return {"batch_size": size, "seed": self.seed, "epoch": epoch, "smallest": self.smallest}

    def indices(self, n: int, epoch: int, start_batch: int) -> Iterator[NDArray[np.int64]]:
        """Those of each batch."""
        return batches(n, start_batch=start_batch, **self.options(n, epoch))

    def count(self, n: int) -> tuple[int, int]:
        """How many batches n examples make, and the size of the first."""
        bounds = batch_bounds(n, min(self.batch_size, n), self.smallest)
        return len(bounds), bounds[0][1]


Change = Callable[[Any], Any] | None
"""What an augmentation does to the raw x of one batch."""


def change_of(augment: Augment | None, seed: int, epoch: int, batch: int) -> Change:
    """See `twingrad.augment.of_batch`."""
    return None if augment is None else functools.partial(of_batch, augment, seed=seed, epoch=epoch, batch=batch)


def inputs(model: Any, x: Any, preprocessing: Preprocessing | None, names: tuple[str, ...], change: Change) -> Any:
    """What the network sees of a batch. A change comes before the preprocessing, and where the model is without one."""
    if change is None:
        return placed(model, raw_inputs(x, preprocessing, names))
    if preprocessing is None:
        return change(placed(model, x))
    return placed(model, preprocessing.apply(change(x.astype("float32")), names))


def stays_on_disk(data: Dataset) -> bool:
    """Whether x is memory-mapped, so that it may be larger than memory."""
    return isinstance(data.x, np.memmap | Rows)


def is_batches(data: Any) -> bool:
    """Whether `data` may be an iterable of batches, or a function that gives one."""
    return (
        isinstance(data, BatchSource) or callable(data) or (isinstance(data, Iterable) and not isinstance(data, tuple))
    )


def as_source(data: Any, who: str) -> BatchSource:
    """The user's batches as a `BatchSource`.

    Raises:
        TypeError: an iterator, which serves one pass alone.
    """
    source = data if isinstance(data, BatchSource) else BatchSource(data, name=who)
    given: Iterable[Any] | Callable[[int], Iterable[Any]] = source.source
    if not callable(given) and iter(given) is given:
        raise TypeError(
            f"{who}: a generator serves one pass alone, and each epoch learns and measures; give a list, an object "
            "whose __iter__ begins anew, or a function of the epoch that returns a generator"
        )
    return source


def part_of(
    model: Any,
    objective: Objective,
    data: Any,
    order: Order,
    weight: Any = None,
    prefetch: int | None = None,
    augment: Augment | None = None,
) -> Part:
    """The part of a run for a data set (resident, or streamed where it is memory-mapped, `prefetch` asks for it, or its
    batches are augmented), or for the user's batches.
    """
    if isinstance(data, BatchSource):
        return Given(model, objective, data, 2 if prefetch is None else prefetch, augment, order.seed)
    if prefetch is not None or stays_on_disk(data) or augment is not None:
        depth = 2 * stays_on_disk(data) if prefetch is None else prefetch
        return Streamed(model, objective, data, order, weight, depth, augment)
    return Resident(model, objective, data, order, weight)
