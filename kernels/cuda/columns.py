"""How kernels that reduce down columns share the rows: see columns.cuh."""

from __future__ import annotations

from typing import NamedTuple

from twingrad.kernels.cuda.launching import THREADS
from twingrad.namespace import Array

WARP = 32
HELD = 8
MOST_CHUNKS = 64


class Split(NamedTuple):
    """A block's columns, the rows of a chunk, how many chunks there are, and the blocks of work."""

    lanes: int
    chunk: int
    chunks: int
    blocks: int


def split(x: Array) -> Split:
    """The split of x (rows, columns): of its shape alone, so that every GPU adds in one order."""
    rows, columns = x.shape
    lanes = min(WARP, 1 << max(columns - 1, 0).bit_length())
    unit = THREADS // lanes * HELD
    chunk = -(-max(rows, 1) // (MOST_CHUNKS * unit)) * unit
    chunks = -(-rows // chunk)
    return Split(lanes, chunk, chunks, -(-columns // lanes) * chunks)
