"""Memory for `fake_cupy`: pools whose blocks are used again, as strict as CUDA about what a capturing stream may do.

A block is lent again as soon as nothing refers to it any more. It is filled with NaN when it is lent, and before each
replay of a graph, so that nothing can be read there that was not written before in the same step.
"""

from __future__ import annotations

import contextlib
import ctypes
import threading
import types
import weakref
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

import fake_streams

UNIT = 512


class MemoryPool:
    """`cupy.cuda.MemoryPool`: blocks go back when nothing refers to them any more, and are lent again."""

    all: ClassVar[Any] = weakref.WeakSet()

    def __init__(self) -> None:
        self.free: dict[int, list[Any]] = {}
        self.blocks: list[Any] = []
        self.all.add(self)

    def malloc(self, size: int) -> Any:
        size = -(-max(size, 1) // UNIT) * UNIT
        waiting = self.free.setdefault(size, [])
        block = waiting.pop() if waiting else self._new(size)
        block[:] = 0xFF
        handle = (ctypes.c_char * size).from_buffer(block)
        weakref.finalize(handle, waiting.append, block)
        address = ctypes.addressof(handle)
        return types.SimpleNamespace(ptr=address, mem=types.SimpleNamespace(ptr=address), handle=handle)

    def poison(self) -> None:
        """Fill all of it with NaN."""
        for block in self.blocks:
            block[:] = 0xFF

    def used_bytes(self) -> int:
        return self.total_bytes() - sum(len(waiting) * size for size, waiting in self.free.items())

    def total_bytes(self) -> int:
        return sum(block.size for block in self.blocks)

    def _new(self, size: int) -> Any:
        self.blocks.append(aligned(size))
        return self.blocks[-1]


def aligned(size: int) -> Any:
    """Bytes at a multiple of 512, as CuPy's pools give them: NaN, which whoever reads before writing will see."""
    room = np.full(size + UNIT, 0xFF, np.uint8)
    start = -room.ctypes.data % UNIT
    return room[start : start + size]


class _OfThread(threading.local):
    """The allocators that a thread has put in place: another thread's are none of its business, as in CuPy."""

    def __init__(self) -> None:
        self.stacked: list[Any] = [None]


_allocators = _OfThread()


@contextlib.contextmanager
def using_allocator(allocator: Any = None) -> Iterator[None]:
    """`cupy.cuda.using_allocator`."""
    _allocators.stacked.append(allocator)
    try:
        yield
    finally:
        _allocators.stacked.pop()


def allocated(shape: Any, dtype: Any) -> Any:
    """The NumPy array under an array of `cupy.empty`."""
    fake_streams.forbid("cudaMalloc")
    shape, dtype = (shape,) if isinstance(shape, int) else tuple(shape), np.dtype(dtype)
    if _allocators.stacked[-1] is None:
        return aligned(int(np.prod(shape)) * dtype.itemsize).view(dtype).reshape(shape)
    return np.ndarray(shape, dtype, _allocators.stacked[-1](int(np.prod(shape)) * dtype.itemsize).handle)


def owner(host: Any) -> int:
    """The first address of the memory under a NumPy array."""
    while isinstance(host.base, np.ndarray):
        host = host.base
    return ctypes.addressof(host.base) if isinstance(host.base, ctypes.Array) else int(host.ctypes.data)


fake_streams.before_replays.append(lambda: [pool.poison() for pool in MemoryPool.all])
