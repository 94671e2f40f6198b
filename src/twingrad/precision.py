"""Precision: what the products of a training step compute with, and what its activations are stored in.

| precision | products of layers | activations and their gradients | weights, moments, gradients, statistics, losses |
| --- | --- | --- | --- |
| float32 | float32 | float32 | float32 |
| tf32 | TF32: factors rounded to 10 bits of mantissa, float32 sums | float32 | float32 |
| bf16 | bfloat16 factors, float32 sums | bfloat16, arithmetic in float32 | float32, and bfloat16 copies of weights |

On NVIDIA GPUs of compute capability 8.0 and newer. Elsewhere tf32 is float32, which is said once, and on the CPU bf16
computes what a GPU does, rounded in the same places, but no faster than float32: this is said once too.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from twingrad.devices import Device, DeviceWarning, device_of
from twingrad.errors import PrecisionError
from twingrad.namespace import Array, backend_of, is_bfloat16

PRECISIONS = ("float32", "tf32", "bf16")
LEAST = 80
"""The compute capability, as 8.0, from which GPUs multiply TF32 and bfloat16."""

_chosen: ContextVar[str] = ContextVar("precision", default="float32")


class PrecisionWarning(DeviceWarning):
    """A precision means less on this device than was asked for."""


def check_precision(name: str) -> str:
    """`name`, where it is a precision; else a ValueError that names the three."""
    if name not in PRECISIONS:
        raise ValueError(f"precision is one of {', '.join(PRECISIONS)}; got {name!r}")
    return name


@contextmanager
def use_precision(name: str) -> Iterator[None]:
    """Compute with `name`, "float32", "tf32" or "bf16", within a `with` block, in this thread.

    It decides what layers do when they are called, and then holds for their backward passes. Under "bf16" a model's
    parameters stay float32 (others raise PrecisionError); what goes from layer to layer is bfloat16; what the outermost
    module returns is float32 again, and so are the loss and all gradients of parameters. An optimizer's step within the
    block writes the bfloat16 copies of the weights in its own pass; elsewhere they are made when next used.
    `tg.fit(precision=...)` runs in such a block. The table above says more: see `twingrad.precision`.

    Raises ValueError for another name, and where a layer meets a device that has no bf16 PrecisionError.

    >>> import numpy as np
    >>> from twingrad import nn
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1), seed=0)
    >>> with use_precision("tf32"):
    ...     model(np.ones((4, 2), np.float32)).dtype
    dtype('float32')
    """
    token = _chosen.set(check_precision(name))
    try:
        yield
    finally:
        _chosen.reset(token)


def asked_for() -> str:
    """The precision of the innermost `use_precision`, or "float32"."""
    return _chosen.get()


def in_force(array: Array) -> str:
    """The precision that operations on `array` have: what is asked for, as far as its device has it.

    Raises PrecisionError where bf16 cannot be had, with the reason.
    """
    asked = _chosen.get()
    if asked == "float32":
        return asked
    if backend_of(array) is None:
        return _of_another_library(asked, type(array).__module__.partition(".")[0])
    return on_device(asked, device_of(array))


@functools.cache
def on_device(asked: str, device: Device) -> str:
    """The precision that `asked` means on `device`: tf32 is float32 where there is none, which is said once.

    Raises PrecisionError for bf16 where there is none.
    """
    if asked == "bf16":
        bfloat16()
    if asked == "float32" or (device.kind == "cuda" and _capability(device) >= LEAST):
        return asked
    if device.kind == "cpu" and asked == "bf16":
        _say("bf16 on the CPU computes what a GPU does, rounded in the same places, but more slowly than float32")
        return asked
    if asked == "bf16":
        capability = _capability(device) / 10
        raise PrecisionError(
            f"precision 'bf16' needs a GPU of compute capability 8.0 or newer, and {device} has {capability}; "
            "use precision='float32'"
        )
    _say(f"{device} has no TF32, which GPUs of compute capability 8.0 and newer have: precision 'tf32' is float32 here")
    return "float32"


@functools.cache
def _of_another_library(asked: str, library: str) -> str:
    if asked == "bf16":
        raise PrecisionError(f"precision 'bf16' is for arrays of NumPy and CuPy, got one of {library}")
    _say(f"precision 'tf32' is float32 with arrays of {library}")
    return "float32"


def _capability(device: Device) -> int:
    import cupy

    return int(cupy.cuda.Device(device.number).compute_capability)


def _say(message: str) -> None:
    warnings.warn(message, PrecisionWarning, stacklevel=4)


@functools.cache
def bfloat16() -> np.dtype[Any]:
    """The dtype, which the package ml_dtypes gives to NumPy and CuPy; PrecisionError where that is not installed."""
    try:
        from ml_dtypes import bfloat16 as scalar
    except ImportError:
        raise PrecisionError(
            "precision 'bf16' needs the package ml_dtypes, which gives NumPy and CuPy the dtype bfloat16; "
            "pip install 'twingrad[bf16]'"
        ) from None
    found: np.dtype[Any] = np.dtype(scalar)
    return found


def arithmetic(dtype: Any) -> Any:
    """The dtype that is computed in where `dtype` is stored: float32 for bfloat16, else itself."""
    return np.dtype(np.float32) if is_bfloat16(dtype) else dtype
