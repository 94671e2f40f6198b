"""Memory for the results of kernels, used again.

A large array that is freed goes back to the system, and the next one's pages are mapped and zeroed anew at their first
touch: that takes longer than most kernels. So the memory of results of SMALLEST bytes and more is kept when the last
array over it is gone, and given to the next result of the same size: at most `kept_limit` bytes, else the oldest sizes
go. TWINGRAD_KEEP_MIB sets the limit at the start, 0 keeps nothing; `keep` sets it later.
"""

from __future__ import annotations

import ctypes
import math
import os
import weakref
from typing import Any

import numpy as np

SMALLEST = 1 << 17
"""Bytes; the C library itself keeps what is smaller."""
ALIGNMENT = 64
DEFAULT = 512
"""MiB that are kept at most, where TWINGRAD_KEEP_MIB does not say."""
SIZES = 128
"""Sizes that are kept at most: batches that are all of other sizes would fill the memory with blocks of no use."""

_free: dict[int, list[Any]] = {}
_lent: dict[int, Any] = {}
_limit = 0


class _Loan(weakref.ref[Any]):
    """Watches the handle of a lent block, which all arrays over the block hold."""

    __slots__ = ("block",)
    block: Any


def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """An array of arbitrary values, as np.empty; a large one over memory that is kept afterwards, 64-byte aligned."""
    size = math.prod(shape) * dtype.itemsize
    if size < SMALLEST or size > _limit:
        return np.empty(shape, dtype)
    block = _taken(size)
    if block is None:
        block = _new_block(size)
    handle: Any = (ctypes.c_char * size).from_buffer(block)  # NumPy makes it the base of the array and of all views
    loan = _Loan(handle, _take_back)
    loan.block = block
    _lent[id(loan)] = loan
    return np.ndarray(shape, dtype, handle)


def keep(mib: int) -> None:
    """Keep at most so many MiB of freed memory from now on; 0 keeps none, and gives back what is kept."""
    global _limit
    _limit = mib << 20
    _trim()


def kept() -> int:
    """The bytes that are kept at this moment."""
    return sum(size * len(_free.get(size, ())) for size in list(_free))  # no pairs: making them may run `_take_back`


def _new_block(size: int) -> Any:
    raw = np.empty(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size]


def _take_back(loan: _Loan) -> None:
    """Runs when the last array over a block is gone, in whatever thread that happens."""
    del _lent[id(loan)]
    block = loan.block
    _free.setdefault(block.size, []).append(block)
    _trim()


def _taken(size: int) -> Any:
    """A kept block of this size, or None. Threads need no lock: what one gives back meanwhile may go to the system."""
    blocks = _free.get(size)
    try:
        block = blocks.pop() if blocks else None
    except IndexError:  # another thread was faster
        block = None
    if not blocks:
        _free.pop(size, None)
    return block


def _trim() -> None:
    while _free and (len(_free) > SIZES or kept() > _limit):
        _taken(next(iter(list(_free)), 0))


def _default() -> int:
    value = os.environ.get("TWINGRAD_KEEP_MIB", "")
    return int(value) if value.isdecimal() else DEFAULT


keep(_default())
