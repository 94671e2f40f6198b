"""Registers + - * / of captured steps on a GPU, where CuPy's own have no place in a graph: see `../arithmetic.py`.

bfloat16 is computed in float32 and rounded once.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from twingrad.kernels.arithmetic import SYMBOLS, Arithmetic, register
from twingrad.kernels.cuda import launching
from twingrad.kernels.cuda.arguments import Kernel, blocks_of, empty, stored_refusal, table_refusal
from twingrad.namespace import Array

KERNELS = {name: Kernel("arithmetic", symbol) for name, symbol in SYMBOLS.items()}


def launch(name: str, out: Array, x: Array, y: Array) -> None:
    steps = x.shape == out.shape, y.shape == out.shape
    KERNELS[name](out, blocks_of(out.size), out, x, y, out.size, *steps)


def copy(out: Array, x: Array) -> None:
    launch("multiply", out, x, number(1.0, x))


def number(value: float, like: Array) -> Array:
    return _number(int(like.device.id), float(value), like.dtype)


@functools.lru_cache(maxsize=256)
def _number(gpu: int, value: float, dtype: Any) -> Array:
    return launching.constant(gpu, np.full(1, value, dtype)).reshape(())  # copied: CuPy fills () by a kernel of its own


def operand_refusal(array: Any, like: Array) -> str | None:
    """Why `array` is no operand beside `like`, or None."""
    refused = stored_refusal(like, "an argument") or table_refusal("an argument", array, like.dtype, like)
    return refused or launching.why_not("arithmetic", int(like.device.id))


register("cuda", Arithmetic(launch, copy, lambda like: empty(like, *like.shape), number, operand_refusal))
