"""Streams and events of a GPU as CUDA documents them, of which nothing more is certain than what it promises.

Work waits in the queue of its stream and is done at any later time: in order within a stream, after the events that
the stream was told to wait for, and before whoever synchronises goes on. A seed decides when; memory is read and
written when the work is done, so that whatever is used too early, or again too soon, shows.

A stream that captures writes down what kernels queue, and a graph's launch queues that. A call that waits, allocates or
crosses the bus while the current stream captures spoils the capture and raises.
"""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

_local = threading.local()
before_replays: list[Callable[[], object]] = []
"""Run whenever a graph is about to run."""


class CUDARuntimeError(RuntimeError):
    """`cupy_backends.cuda.api.runtime.CUDARuntimeError`."""


def entered() -> list[Stream]:
    """The streams that this thread is in, the current one last."""
    found: list[Stream] = _local.__dict__.setdefault("entered", [])
    return found


def capturing() -> Stream | None:
    """The current stream of this thread, if it captures."""
    return entered()[-1] if entered() and entered()[-1].is_capturing() else None


def forbid(what: str) -> None:
    """Raise, and spoil the capture, if the current stream captures."""
    stream = capturing()
    if stream is not None:
        stream.spoilt = True
        raise CUDARuntimeError(
            f"cudaErrorStreamCaptureUnsupported: operation not permitted when stream is capturing ({what})"
        )


def queue(call: Callable[[], object]) -> None:
    """Run a kernel, or write it down where the current stream captures."""
    stream = capturing()
    if stream is None:
        call()
    else:
        stream.calls.append(call)  # type: ignore[union-attr]


class World:
    """A GPU's streams. seed: of the moments at which queued work is done; None does it as soon as it may be."""

    def __init__(self, seed: int | None = None) -> None:
        self.random = None if seed is None else random.Random(seed)
        self.lock = threading.RLock()
        self.streams: list[Stream] = []
        self.local = threading.local()
        self.null = Stream(self)

    def current(self) -> Stream:
        """The current stream of this thread."""
        return (getattr(self.local, "stacked", None) or [self.null])[-1]

    def step(self) -> bool:
        """Do one thing that may be done; whether there was one."""
        ready = [stream for stream in self.streams if stream.queue and stream.queue[0][0]()]
        if not ready:
            return False
        (ready[0] if self.random is None else self.random.choice(ready)).queue.popleft()[1]()
        return True

    def queued(self) -> None:
        """Something was queued: some of it, or all, is done now."""
        count = 10**9 if self.random is None else self.random.choice((0, 0, 0, 1, 2, 5))
        while count and self.step():
            count -= 1

    def until(self, done: Callable[[], bool]) -> None:
        """Do what is queued until `done`."""
        with self.lock:
            while not done():
                assert self.step(), "synchronised with what never ends"


class Stream:
    """`cupy.cuda.Stream`."""

    def __init__(self, world: World) -> None:
        self.world, self.queue = world, deque[tuple[Callable[[], bool], Callable[[], None]]]()
        self.calls: list[Callable[[], object]] | None = None
        self.spoilt = False
        world.streams.append(self)

    @property
    def ptr(self) -> int:
        return 0 if self is self.world.null else id(self)

    def begin_capture(self, mode: int | None = None) -> None:
        if self is self.world.null:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        if self.calls is not None:
            raise CUDARuntimeError("cudaErrorIllegalState: the stream is capturing already")
        self.calls, self.spoilt = [], False

    def end_capture(self) -> Graph:
        calls, self.calls = self.calls, None
        if calls is None:
            raise CUDARuntimeError("cudaErrorIllegalState: the stream is not capturing")
        if self.spoilt:
            raise CUDARuntimeError("cudaErrorStreamCaptureInvalidated: operation failed due to a previous error")
        return Graph(self.world, calls)

    def is_capturing(self) -> bool:
        return self.calls is not None

    def put(self, work: Callable[[], None], ready: Callable[[], bool] = lambda: True) -> None:
        with self.world.lock:
            self.queue.append((ready, work))
            self.world.queued()

    def wait_event(self, event: Event) -> None:
        last = event.recorded
        self.put(lambda: None, lambda: event.done >= last)

    def synchronize(self) -> None:
        forbid("cudaStreamSynchronize")
        self.world.until(lambda: not self.queue)

    def __enter__(self) -> Stream:
        entered().append(self)
        self.world.local.stacked = [*getattr(self.world.local, "stacked", []), self]
        return self

    def __exit__(self, *error: object) -> None:
        entered().pop()
        self.world.local.stacked = self.world.local.stacked[:-1]


class Event:
    """`cupy.cuda.Event`."""

    def __init__(self, world: World) -> None:
        self.world, self.recorded, self.done = world, 0, 0

    def record(self, stream: Stream | None = None) -> None:
        self.recorded += 1
        last = self.recorded

        def mark() -> None:
            self.done = max(self.done, last)

        (stream or self.world.current()).put(mark)

    def synchronize(self) -> None:
        forbid("cudaEventSynchronize")
        last = self.recorded
        self.world.until(lambda: self.done >= last)


class Graph:
    """`cupy.cuda.Graph`."""

    def __init__(self, world: World, calls: list[Callable[[], object]]) -> None:
        self.world, self.calls, self.launches = world, calls, 0

    def launch(self, stream: Stream | None = None) -> None:
        forbid("cudaGraphLaunch")
        self.launches += 1
        (stream or self.world.current()).put(self._run)

    def _run(self) -> None:
        for work in (*before_replays, *self.calls):
            work()


def install(cupy: Any, world: World) -> None:
    """Give the stand-in `cupy` the streams, events and page-locked memory of `world`."""
    cupy.cuda.Stream = lambda non_blocking=False: Stream(world)
    cupy.cuda.Event = lambda block=False, disable_timing=False: Event(world)
    cupy.cuda.get_current_stream = world.current
    cupy.cuda.alloc_pinned_memory = bytearray
