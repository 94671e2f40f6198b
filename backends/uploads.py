"""Batches on their way to a GPU while it computes: page-locked buffers, a stream of their own, and events.

Nothing in the loop waits on the host. The events order what matters: a batch is used after its copy, a buffer on the
GPU is written again after the steps that read it, and a page-locked one after its copy, for which the thread that fills
it waits.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad.backends.memory import out_of_memory

Arrays = tuple[Any, ...]
Ahead = Callable[[Iterator[Any], int], Any]
"""Computes so many items ahead in a thread, and closes: `twingrad.data.Prefetch`."""


class Slot:
    """The buffers of a batch on both sides, and the events that say when they may be used again.

    rooms: for each array the pairs of buffers so far, each larger than the one before, which steps may still read.
    """

    def __init__(self, cupy: Any) -> None:
        self.rooms: list[list[tuple[Any, Any]]] = []
        self.copied, self.used = (cupy.cuda.Event(block=True, disable_timing=True) for _ in range(2))


class Uploads:
    """Moves batches to the GPU number `index` ahead of their use.

    held: batches that the caller uses at a time. depth: so many more are on their way, at least one.
    """

    def __init__(self, index: int, held: int = 1, depth: int = 1) -> None:
        import cupy

        self._cupy, self._gpu, self.held, self.depth = cupy, cupy.cuda.Device(index), held, max(1, depth)
        with self._gpu:
            self._stream = cupy.cuda.Stream(non_blocking=True)

    @contextmanager
    def batches(self, source: Iterable[tuple[NDArray[Any], ...]], ahead: Ahead) -> Iterator[Iterator[Arrays]]:
        """`with uploads.batches(...) as found:` gives the batches of `source`, tuples of arrays, as those of CuPy.

        They may be read by what is queued on the current stream until, `held` batches later, the next is asked for;
        then their memory is filled again. `ahead` reads `source` in a thread.
        Raises what `source` raises, and DeviceMemoryError where the GPU has no room.
        """
        with self._gpu:
            slots = [Slot(self._cupy) for _ in range(self.held + self.depth)]
        free: queue.Queue[Slot | None] = queue.Queue()
        for slot in slots:
            free.put(slot)
        found = ahead(self._filled(source, free), self.depth)
        try:
            yield self._taken(found, free)
        finally:
            free.put(None)  # a thread that waits for a slot ends
            found.close()
            with self._gpu:
                for slot in slots:  # their memory goes back, to be used again, and the stream may end
                    slot.copied.synchronize()
                    slot.used.record()
                    slot.used.synchronize()

    def _filled(
        self, source: Iterable[tuple[NDArray[Any], ...]], free: queue.Queue[Slot | None]
    ) -> Iterator[tuple[Slot, Arrays]]:
        """In the thread: each batch in a free slot, its copy queued."""
        with self._gpu:
            for arrays in source:
                slot = free.get()
                if slot is None:
                    return
                slot.copied.synchronize()
                self._stream.wait_event(slot.used)
                there = tuple(self._queued(slot, place, array) for place, array in enumerate(arrays))
                slot.copied.record(self._stream)
                yield slot, there

    def _taken(self, found: Iterator[tuple[Slot, Arrays]], free: queue.Queue[Slot | None]) -> Iterator[Arrays]:
        """For the caller: each batch once its copy is queued, after what the caller has used is given back."""
        busy: list[Slot] = []
        while True:
            if len(busy) == self.held:
                for slot in busy:
                    slot.used.record()
                    free.put(slot)
                busy.clear()
            item = next(found, None)
            if item is None:
                return
            slot, arrays = item
            self._cupy.cuda.get_current_stream().wait_event(slot.copied)
            busy.append(slot)
            yield arrays

    def _queued(self, slot: Slot, place: int, array: NDArray[Any]) -> Any:
        """The array's copy on the GPU, as it will be."""
        if place == len(slot.rooms):
            slot.rooms.append([])
        rooms = slot.rooms[place]
        if not rooms or rooms[-1][0].nbytes < array.nbytes:
            rooms.append((self._pinned(array.nbytes or 1), self._on_gpu(array)))
        host, there = (room[: array.nbytes].view(array.dtype).reshape(array.shape) for room in rooms[-1])
        np.copyto(host, array)
        there.set(host, stream=self._stream)
        return there

    def _pinned(self, size: int) -> NDArray[np.uint8]:
        """So many bytes that the system never moves, so that the GPU can copy them by itself."""
        return np.frombuffer(self._cupy.cuda.alloc_pinned_memory(size), np.uint8, size)

    def _on_gpu(self, array: NDArray[Any]) -> Any:
        """Memory of the copying stream: what other streams have freed may still be in use there."""
        with self._stream:
            try:
                return self._cupy.empty(array.nbytes or 1, np.uint8)
            except MemoryError:
                raise out_of_memory(self._gpu, array.shape, array.dtype) from None
