"""The train and the dev part as a run sees them: batches to learn from, chunks to measure on."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from twingrad import backends, data
from twingrad.autodiff import Tensor
from twingrad.backends.memory import DeviceMemoryError
from twingrad.data import BatchSource, Dataset, batch_bounds, batches, loader
from twingrad.data.augmenting import Augment, of_batch
from twingrad.train.inputs import Change, Inputs
from twingrad.train.objective import Objective
from twingrad.train.placement import device_of_model, on_disk, placed
from twingrad.train.residence import Reading, residence
from twingrad.train.roads import Road

Batch = tuple[Any, ...]
"""(x, targets), or (x, targets, weights), on the model's device and as its loss takes them."""
Chunk = tuple[Any, Any, NDArray[Any]]
DECIDES = Reading()


class Part(Protocol):
    """What a run needs of its data.

    batches: of one epoch; None where that is not known before it ends. full: the size of most batches, or None.
    where: where the examples are, in words.
    """

    where: str

    @property
    def batches(self) -> int | None:
        """See above."""

    @property
    def full(self) -> int | None:
        """See above."""

    def epoch(self, epoch: int, start_batch: int) -> Iterator[tuple[Any, ...]]:
        """What names or holds the batches of an epoch (from 0) after the first `start_batch`."""

    def fetch(self, *given: Any) -> Batch:
        """The batch that an item of `epoch` names or holds: a part of the step, captured with it."""

    def chunks(self, size: int) -> Iterator[Chunk]:
        """(x, targets, raw targets on the host) of all examples, once and in order."""


class Resident:
    """A data set that is on the model's device as a whole: steps gather their batches there, by number."""

    def __init__(
        self, model: Any, objective: Objective, given: Dataset, order: Order, weight: Any = None, where: str = ""
    ) -> None:
        inputs, device = Inputs(model, objective, given), device_of_model(model)
        targets = inputs.cast(objective.targets(given.y), keep_integers=True)
        learned = objective.learned(targets, inputs.dtype)
        arrays = [inputs.whole(given), learned, *([] if weight is None else [inputs.cast(weight)])]
        self.held = data.Resident(*arrays, device=device, table=inputs.table)
        self.targets = self.held.arrays[1] if learned is targets else placed(model, targets, keep_integers=True)
        self.raw, self.where = given.y, where
        self.backend, self.order = backends.get(device), order
        self.batches, self.full = order.count(len(given))

    def epoch(self, epoch: int, start_batch: int) -> Iterator[tuple[Any, ...]]:
        """See `Part`: the numbers of the examples, sent to the device once an epoch."""
        found = list(self.order.indices(len(self.raw), epoch, start_batch))
        numbers, start = self.backend.asarray(np.concatenate([np.zeros(0, np.int64), *found])), 0
        for index in found:
            yield (numbers[start : start + len(index)],)
            start += len(index)

    def fetch(self, *given: Any) -> Batch:
        """See `Part`."""
        (index,) = given
        found = self.held.gather(index)
        return found if isinstance(index, Tensor) else tuple(tensor.data for tensor in found)

    def chunks(self, size: int) -> Iterator[Chunk]:
        """See `Part`."""
        for start in range(0, len(self.raw), size):
            stop = min(start + size, len(self.raw))
            yield self.held.rows(start, stop)[0], self.targets[start:stop], self.raw[start:stop]


class Moving:
    """What data that do not stay on the device share: a thread makes batches ready, and they move beside the steps."""

    batches: int | None = None
    full: int | None = None

    def __init__(
        self, model: Any, objective: Objective, given: Dataset | None, depth: int, held: int, augment: Augment | None
    ) -> None:
        self.objective, self.inputs = objective, Inputs(model, objective, given, augment is not None)
        self.road, self.augment = Road(device_of_model(model), depth, held), augment

    def fetch(self, *given: Any) -> Batch:
        """See `Part`."""
        if self.inputs.table is None:
            return given
        numbers, x, *rest = given
        return self.inputs.meant(numbers, x), *rest

    def _epoch(self, raw: Iterable[tuple[Any, ...]], seed: int, epoch: int, start: int) -> Iterator[tuple[Any, ...]]:
        """Batches (x, y) or (x, y, weight) as they are read, on the device as they are learned from."""

        def learned() -> Iterator[tuple[Any, ...]]:
            with closing(cast(Any, raw)) as found:
                for batch, (x, y, *weight) in enumerate(found, start):
                    x, target = self._ready(x, y, change_of(self.augment, seed, epoch, batch))
                    rest = self.objective.learned(target, self.inputs.dtype), *map(self.inputs.cast, weight)
                    yield *self._numbers(x), x, *rest

        with self.road.along(learned()) as found:
            yield from found

    def _chunks(self, raw: Iterable[tuple[Any, ...]]) -> Iterator[Chunk]:
        """The same as they are measured, unchanged, the raw targets beside them."""
        targets: deque[NDArray[Any]] = deque()

        def measured() -> Iterator[tuple[Any, ...]]:
            with closing(cast(Any, raw)) as found:
                for x, y, *_ in found:
                    targets.append(y)
                    x, target = self._ready(x, y)
                    yield *self._numbers(x), x, target

        with self.road.along(measured()) as found:
            for batch in found:
                x, target, *_ = self.fetch(*batch)
                yield x, target, targets.popleft()

    def _ready(self, x: Any, y: NDArray[Any], change: Change = None) -> tuple[NDArray[Any], NDArray[Any]]:
        """In the thread: features and targets as they go to the device."""
        return self.inputs.ready(x, change), self.inputs.cast(self.objective.targets(y), keep_integers=True)

    def _numbers(self, x: NDArray[Any]) -> tuple[NDArray[np.int64], ...]:
        """What the look-up of bytes takes beside them."""
        return () if self.inputs.table is None else (np.arange(len(x)),)


class Streamed(Moving):
    """A data set that stays where it is: each batch is read, preprocessed and moved ahead of its use."""

    def __init__(
        self,
        model: Any,
        objective: Objective,
        given: Dataset,
        order: Order,
        weight: Any = None,
        depth: int = 2,
        held: int = 1,
        augment: Augment | None = None,
        where: str = "",
    ) -> None:
        super().__init__(model, objective, given, depth, held, augment)
        self.data, self.order, self.weight, self.where = given, order, weight, where
        self.batches, self.full = order.count(len(given))

    def epoch(self, epoch: int, start_batch: int) -> Iterator[tuple[Any, ...]]:
        """See `Part`."""
        options = {"start_batch": start_batch, "weight": self.weight, "prefetch": 0}
        raw = loader(self.data, **options, **self.order.options(len(self.data), epoch))
        return self._epoch(raw, self.order.seed, epoch, start_batch)

    def chunks(self, size: int) -> Iterator[Chunk]:
        """See `Part`."""
        return self._chunks(self._slices(size))

    def _slices(self, size: int) -> Iterator[tuple[Any, NDArray[Any]]]:
        for start in range(0, len(self.data), size):
            part = self.data.take(slice(start, start + size))
            yield part.x[:], part.y


class Given(Moving):
    """Batches that the user makes: an iterable, or a function of the epoch; see `twingrad.data.BatchSource`."""

    where = "given in batches"

    def __init__(
        self,
        model: Any,
        objective: Objective,
        source: BatchSource,
        depth: int = 2,
        held: int = 1,
        augment: Augment | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(model, objective, None, depth, held, augment)
        self.source, self.seed = source, seed

    def epoch(self, epoch: int, start_batch: int) -> Iterator[tuple[Any, ...]]:
        """See `Part`."""
        return self._epoch(self.source.epoch(epoch, start_batch, prefetch=0), self.seed, epoch, start_batch)

    def chunks(self, size: int) -> Iterator[Chunk]:
        """See `Part`: the batches of epoch 0 as they come, whatever the size."""
        return self._chunks(self.source.epoch(0, prefetch=0))


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


def change_of(augment: Augment | None, seed: int, epoch: int, batch: int) -> Change:
    """See `twingrad.data.augmenting`."""
    return None if augment is None else functools.partial(of_batch, augment, seed=seed, epoch=epoch, batch=batch)


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
    given: Any,
    order: Order,
    weight: Any = None,
    reading: Reading = DECIDES,
    augment: Augment | None = None,
) -> Part:
    """The part of a run for the user's batches, or for a data set: resident, or streamed, as `residence` finds."""
    depth, held = 2 if reading.prefetch is None else reading.prefetch, reading.held
    if isinstance(given, BatchSource):
        return Given(model, objective, given, depth, held, augment, order.seed)
    stays, where = residence(model, objective, given, weight, reading, augment is not None)
    if stays:
        try:
            return Resident(model, objective, given, order, weight, where)
        except DeviceMemoryError as error:
            if reading.resident:
                raise
            where = f"streamed ({str(error).partition('. Three ways')[0]})"
    if augment is not None and reading.prefetch is None and device_of_model(model).kind == "cpu":
        depth = 2 * on_disk(given)  # a thread would take time from the steps
    return Streamed(model, objective, given, order, weight, depth, held, augment, where)
