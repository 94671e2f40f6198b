"""Registers the CUDA kernel that gathers a mini-batch; see `overrides.py`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from twingrad import functional as F
from twingrad.kernels.cuda import launching
from twingrad.kernels.cuda.activations import blocks_of_rows
from twingrad.kernels.cuda.arguments import NAMES, empty, loaded, refusal, table_refusal
from twingrad.namespace import Array
from twingrad.recording import current

COPIES = {2: "gather_bfloat16", 4: "gather_float32", 8: "gather_float64"}
"""The kernel for elements of so many bytes."""


def gather_refusal(index: Array, rows: Array, table: Any = None) -> str | None:
    reason = table_refusal("index", index, np.dtype(np.int64), rows) or table_refusal("rows", rows, rows.dtype, index)
    if reason is None and table is None and rows.dtype.itemsize not in COPIES:
        return f"rows have dtype {rows.dtype}; kernels take 2, 4 or 8 bytes an element, or bytes with a table"
    if reason is None and table is not None:
        return refusal(table=table) or table_refusal("table", table, table.dtype, rows)
    return reason


@F.gather.kernel("cuda", accepts=loaded("gather", gather_refusal))
def gather(index: Array, rows: Array, table: Any = None) -> Array:
    """The rows, in memory of their own."""
    recording = current()
    if recording is not None:
        recording.constants[id(rows)] = rows
    given, like = ((rows,), rows) if table is None else ((rows, table), table)
    out, width = empty(like, index.size, *rows.shape[1:]), math.prod(rows.shape[1:])
    kernel = COPIES[out.dtype.itemsize] if table is None else f"look_up_{NAMES[out.dtype]}"
    blocks = blocks_of_rows(index.size, -(-width * out.dtype.itemsize // 16))
    sizes = (np.int64(size) for size in (index.size, rows.shape[0], width))
    launching.launch_blocks("gather", kernel, blocks, rows, out, index, *given, *sizes)
    return out
