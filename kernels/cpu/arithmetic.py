"""Registers + - * / of captured steps on the CPU, to NumPy's bits: see `../arithmetic.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

from twingrad.kernels.arithmetic import SYMBOLS, Arithmetic, register
from twingrad.kernels.cpu import Kernel, unavailable
from twingrad.kernels.cpu.arguments import FLOATS
from twingrad.kernels.cpu.memory import empty
from twingrad.namespace import Array

COPY = Kernel("copy", 2, "q")
KERNELS = {name: Kernel(symbol, 3, "3q") for name, symbol in SYMBOLS.items()}


def launch(name: str, out: Array, x: Array, y: Array) -> None:
    KERNELS[name]((out, x, y), out.size, x.shape == out.shape, y.shape == out.shape)


def operand_refusal(array: Any, like: Array) -> str | None:
    """Why `array` is no operand beside `like`, or None."""
    if type(array) is not np.ndarray or array.dtype != like.dtype or array.dtype not in FLOATS:
        dtypes = f"{getattr(array, 'dtype', type(array).__name__)} and {like.dtype}"
        return f"its kernel takes NumPy arrays of one dtype, float32 or float64; got {dtypes}"
    return None if array.flags.c_contiguous and array.flags.aligned else "an argument is not C-contiguous"


if unavailable() is None:
    register(
        "cpu",
        Arithmetic(
            launch,
            copy=lambda out, x: COPY((out, x), out.size),
            empty=lambda like: empty(like.shape, like.dtype),
            number=lambda value, like: np.asarray(value, like.dtype),
            refusal=operand_refusal,
        ),
    )
