"""Read ahead in a background thread."""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, Generic, TypeVar

from twingrad.functional.checks import integer

T = TypeVar("T")
PATIENCE = 5.0
"""Seconds that `close` waits for a source that is still computing an item."""


class _End:
    """The source has no more items, or failed."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class Prefetch(Generic[T]):
    """The items of `source`, in order, computed up to `depth` ahead by a thread; with depth 0 by the caller.

    An exception of the source is raised here in its place, with its traceback. The thread ends with the last item, an
    exception, `close`, the end of a `with` block, or when nothing refers to this object any more.

    >>> with Prefetch(range(3)) as ahead:
    ...     list(ahead)
    [0, 1, 2]
    """

    def __init__(self, source: Iterable[T], depth: int = 2) -> None:
        if integer("prefetch: the depth", depth) < 0:
            raise ValueError(f"prefetch: the depth must be at least 0; got {depth}")
        self._source = iter(source)
        self._items: queue.Queue[Any] = queue.Queue(max(1, depth))
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._ahead, self._done = depth > 0, False
        if self._ahead:
            arguments = (_work, self._source, self._items, self._stop)  # not self: the thread must not keep it alive
            target = contextvars.copy_context().run  # the device, path and precision that hold here
            self._thread = threading.Thread(target=target, args=arguments, name="twingrad prefetch", daemon=True)
            self._thread.start()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if self._done:
            raise StopIteration
        if not self._ahead:
            return self._next_here()
        item = self._items.get()
        if not isinstance(item, _End):
            found: T = item
            return found
        self.close()
        if item.error is None:
            raise StopIteration
        raise item.error

    def _next_here(self) -> T:
        try:
            return next(self._source)
        except BaseException:
            self._done = True
            raise

    def close(self) -> None:
        """End the thread and forget what it has read ahead; again and again without harm."""
        self._done = True
        self._stop.set()
        thread, self._thread = self._thread, None
        if not self._ahead:
            _close(self._source)
        if thread is None:
            return
        with suppress(queue.Empty):  # what was read ahead, or is taken meanwhile by whoever waits
            while True:
                self._items.get_nowait()
        if thread is not threading.current_thread():
            thread.join(PATIENCE)
        with suppress(queue.Full):  # whoever waits in another thread goes on
            self._items.put_nowait(_End(None))

    def __enter__(self) -> Prefetch[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_thread"):
            self.close()


def _work(source: Iterator[Any], items: queue.Queue[Any], stop: threading.Event) -> None:
    error: BaseException | None = None
    try:
        for item in source:
            if not _put(items, item, stop):
                break
    except BaseException as raised:
        error = raised
    try:
        _close(source)
    except BaseException as raised:
        error = error or raised
    _put(items, _End(error), stop)


def _put(items: queue.Queue[Any], item: Any, stop: threading.Event) -> bool:
    """Whether it was put before `stop` was set."""
    while not stop.is_set():
        try:
            items.put(item, timeout=0.05)
            return True
        except queue.Full:
            continue
    return False


def _close(source: Iterator[Any]) -> None:
    close = getattr(source, "close", None)
    if close is not None:
        close()
