"""What is said where a GPU has no room for an array."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from twingrad.errors import TwingradError

UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


class DeviceMemoryError(TwingradError, MemoryError):
    """A GPU has no room for an array; the message says what was asked for, what is free, and three ways out."""


def out_of_memory(gpu: Any, shape: tuple[int, ...], dtype: Any) -> DeviceMemoryError:
    """The error for an array of this shape and dtype on `gpu`, a `cupy.cuda.Device`."""
    free, total = gpu.mem_info
    device = f"cuda:{gpu.id}" if gpu.id else "cuda"
    asked = size(math.prod(shape) * np.dtype(dtype).itemsize)
    return DeviceMemoryError(
        f"{device} has no room for {asked}, an array {shape} of {np.dtype(dtype)}: {size(free)} of {size(total)} are "
        "free. Three ways out: smaller mini-batches (fit: batch_size=, with accumulate= for as large an update); free "
        "what other programs and models hold (nvidia-smi lists them; del, then "
        'cupy.get_default_memory_pool().free_all_blocks()); or compute on the CPU, device="cpu"'
    )


def size(count: int) -> str:
    """Bytes in words.

    >>> size(0), size(1536), size(150_000_000_000)
    ('0 bytes', '1.5 KiB', '139.7 GiB')
    """
    power = min(int(math.log(count, 1024)), len(UNITS) - 1) if count else 0
    return f"{count / 1024**power:.{1 if power else 0}f} {UNITS[power]}"
