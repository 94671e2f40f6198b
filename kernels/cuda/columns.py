"""How kernels that reduce down columns share the rows: see columns.cuh."""

from __future__ import annotations

from typing import NamedTuple

from twingrad.kernels.cuda.launching import THREADS
from twingrad.namespace import Array

PACK = 16
"""Bytes that a thread reads at once."""
ACROSS = 8
"""Threads side by side, at most: 128 bytes of a row."""
HELD = {2: 4, 4: 8, 8: 8}
"""Rows that a thread reads at a time, by the bytes of an element: HELD of columns.cuh."""
MOST_CHUNKS = 64


class Split(NamedTuple):
    """The threads across a block's columns, the rows of a chunk, how many chunks there are, and the blocks of work."""

    lanes: int
    chunk: int
    chunks: int
    blocks: int


def split(x: Array) -> Split:
    """The split of x (rows, columns): of its shape and dtype alone, so that every GPU adds in one order."""
    rows, columns = x.shape
    width = PACK // x.dtype.itemsize
    lanes = min(ACROSS, 1 << max(-(-columns // width) - 1, 0).bit_length())
    unit = THREADS // lanes * HELD[x.dtype.itemsize]
    chunk = -(-max(rows, 1) // (MOST_CHUNKS * unit)) * unit
    chunks = -(-rows // chunk)
    return Split(lanes, chunk, chunks, -(-columns // (lanes * width)) * chunks)
