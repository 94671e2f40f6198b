"""Registers the kernel that gathers a mini-batch; see `overrides.py`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from twingrad import functional as F
from twingrad.kernels.cpu import Kernel
from twingrad.kernels.cpu.arguments import FLOATS, table_refusal
from twingrad.kernels.cpu.memory import empty
from twingrad.namespace import Array
from twingrad.recording import current

GATHER = Kernel("gather", 4, "3q")
COPIES: dict[int, Any] = {4: FLOATS[0], 8: FLOATS[1]}
"""The copy of the kernel for elements of so many bytes."""


def gather_refusal(index: Array, rows: Array, table: Any = None) -> str | None:
    reason = table_refusal("index", index, np.dtype(np.int64)) or table_refusal("rows", rows, rows.dtype)
    if reason is None and table is None and rows.dtype.itemsize not in COPIES:
        return f"rows have dtype {rows.dtype}; kernels take 4 or 8 bytes an element, or bytes with a table"
    return reason or (None if table is None or table.dtype in FLOATS else f"the table has dtype {table.dtype}")


@F.gather.kernel("cpu", accepts=gather_refusal)
def gather(index: Array, rows: Array, table: Any = None) -> Array:
    """The rows, in memory of their own."""
    recording = current()
    if recording is not None:
        recording.constants[id(rows)] = rows
    out = empty((index.size, *rows.shape[1:]), rows.dtype if table is None else table.dtype)
    sizes = index.size, rows.shape[0], math.prod(rows.shape[1:])
    GATHER.launch(COPIES[out.dtype.itemsize], (out, index, rows, table), *sizes)
    return out
