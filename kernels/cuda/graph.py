"""The captured step on a GPU: what runs is written down as it runs, and issued once more to make a CUDA graph.

The step itself is never run on a capturing stream, so that whatever it allocates, uploads or compiles is done by then,
and an error leaves no stream in capture. Three things keep a replay in step with the host:

- results live in a memory pool of the recording. What is freed in the step is used again in the step, in the order of
  the launches, which is that of the replay; nobody else allocates there. Other arrays are kept by their calls.
- the host's small arrays, the scalars of optimizers and the counters of random decisions, have mirrors on the GPU.
  A replay sends them first, through page-locked memory: the graph reads new values at the same addresses.
- the graph is launched on the caller's current stream, behind what is queued there.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import itertools
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from twingrad.errors import CaptureError
from twingrad.namespace import Array, backend_of
from twingrad.random.counter import Counter
from twingrad.recording import Recording, current, under_way

SLOTS = 4
"""Page-locked copies of a mirror: so many replays may be queued before the host waits for the first."""


class Call(NamedTuple):
    """One thing that a GPU does: queues itself on the current stream, as often as it is run."""

    run: Callable[[], object]
    gpu: int
    keep: tuple[Array, ...]

    @property
    def backend(self) -> str:
        """Whose program repeats it."""
        return "cuda"


class Pool:
    """The memory of a recording's results, and which blocks it consists of."""

    def __init__(self) -> None:
        import cupy

        self.pool = cupy.cuda.MemoryPool()
        self.blocks: set[int] = set()

    def malloc(self, size: int) -> Any:
        """Memory as CuPy's allocators give it; where none is left, what CuPy's own pool keeps goes first."""
        import cupy

        try:
            found = self.pool.malloc(size)
        except MemoryError:
            cupy.get_default_memory_pool().free_all_blocks()
            found = self.pool.malloc(size)
        self.blocks.add(int(found.mem.ptr))
        return found

    def holds(self, array: Array) -> bool:
        """Whether `array` lies in a block of this pool."""
        return int(array.data.mem.ptr) in self.blocks


def memory() -> contextlib.AbstractContextManager[object]:
    """A block in which results of kernels get memory: while a step is captured, of its pool."""
    recording = current() if under_way else None
    if recording is None:
        return contextlib.nullcontext()
    import cupy

    recording.memory = recording.memory or Pool()
    return cupy.cuda.using_allocator(recording.memory.malloc)  # type: ignore[no-any-return]


def perform(gpu: int, run: Callable[..., object], *args: Any) -> None:
    """run(*args) on the current GPU, number `gpu`, with pointers for arrays; while a step is captured, note it as well.

    run: queues work on the current stream, and neither allocates nor waits.
    """
    recording = current() if under_way else None
    if recording is None:
        run(*args)
        return
    pool, arrays = recording.memory, [a for a in args if backend_of(a) == "cuda"]
    keep = tuple(a for a in arrays if pool is None or not pool.holds(a))
    noted = functools.partial(run, *[np.uint64(a.data.ptr) if backend_of(a) == "cuda" else a for a in args])
    noted()
    recording.launches.append(Call(noted, gpu, keep))


def advance(recording: Recording, counter: Counter, times: int) -> None:
    """Advance `counter` on the host, now and after each replay, which reads its mirror."""
    add = functools.partial(np.add, counter.cell, times, out=counter.cell)
    add()
    recording.after_replay.append(add)


class Mirror:
    """An array of the host and its copy on the GPU; `send` queues a refresh and returns at once."""

    def __init__(self, host: Any, there: Array) -> None:
        import cupy

        self.host, self.there = host, there
        memory = [cupy.cuda.alloc_pinned_memory(host.nbytes) for _ in range(SLOTS)]
        slots = [np.frombuffer(m, host.dtype, host.size).reshape(host.shape) for m in memory]
        turns = [(slot, cupy.cuda.Event(disable_timing=True)) for slot in slots]
        self.turns = itertools.cycle(turns)
        weakref.finalize(self, _sent, turns).atexit = False

    def send(self) -> None:
        """Bring the copy up to date, on the current stream."""
        import cupy

        (slot, sent), stream = next(self.turns), cupy.cuda.get_current_stream()
        sent.synchronize()
        slot[...] = self.host
        self.there.set(slot, stream)
        sent.record(stream)


def _sent(turns: list[tuple[Any, Any]]) -> None:
    """Wait until page-locked memory is read, before CuPy lends it to others."""
    for _, sent in turns:
        sent.synchronize()


class Program:
    """The calls of a recording as a CUDA graph, which `run` replays on the current stream."""

    def __init__(self, recording: Recording) -> None:
        import cupy

        self.calls: tuple[Call, ...] = tuple(recording.launches)
        gpus = {call.gpu for call in self.calls}
        if len(gpus) > 1:
            raise CaptureError(
                f"the step computes on the GPUs {sorted(gpus)}; a captured step is one graph, of one GPU"
            )
        self.memory, self.constants = recording.memory, recording.constants
        self.gpu = cupy.cuda.Device(gpus.pop())
        with self.gpu:
            self.mirrors = [Mirror(*pair) for pair in recording.mirrors.values()]
            self.graph = _captured(self.calls)

    def run(self) -> None:
        """Send the mirrors and launch the graph; returns before the GPU is done."""
        with self.gpu:
            for mirror in self.mirrors:
                mirror.send()
            self.graph.launch()

    @property
    def arrays(self) -> list[Array]:
        """What the calls may write, other than memory of the recording's own."""
        found = {id(array): array for call in self.calls for array in call.keep}
        return [array for key, array in found.items() if key not in self.constants]


def _captured(calls: tuple[Call, ...]) -> Any:
    """The graph of `calls`; CaptureError with the reason where CUDA makes none."""
    import cupy

    cupy.cuda.get_current_stream().synchronize()  # another stream is the next to name their memory
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream, _nothing_collected():
        stream.begin_capture()
        try:
            for call in calls:
                call.run()
            return stream.end_capture()
        except Exception as error:
            with contextlib.suppress(Exception):  # what was captured so far goes
                stream.end_capture()
            raise CaptureError(f"CUDA makes no graph of the step: {type(error).__name__}: {error}") from error


@contextlib.contextmanager
def _nothing_collected() -> Iterator[None]:
    """A block in which the garbage collector rests: what it finds may wait for the GPU, which spoils a capture."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
