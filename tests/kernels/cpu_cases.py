"""What the tests of the compiled CPU kernels share: hard values, bit-equality, each instruction set, thread counts."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from twingrad.kernels import cpu
from twingrad.kernels.cpu import loader

from processes import PATIENCE

REASON = cpu.unavailable()
needs_kernels = pytest.mark.skipif(REASON is not None, reason=str(REASON))
ISAS = [] if REASON else loader.usable(cpu.library().c.tg_level())
FLOATS = ("float32", "float64")
TAILS = (*range(71), 127, 128, 129, 8191, 8192, 8193, 40000)


@contextmanager
def instruction_set(isa: str) -> Iterator[None]:
    """Have every kernel, those of the overrides too, use the copy for `isa`."""
    kernels = [o for o in gc.get_objects() if type(o) is cpu.Kernel]
    before, cpu.library().isa = cpu.library().isa, isa
    for kernel in kernels:
        kernel.addresses.clear()
    try:
        yield
    finally:
        cpu.library().isa = before
        for kernel in kernels:
            kernel.addresses.clear()


@contextmanager
def thread_count(count: int) -> Iterator[None]:
    """Share tiles among `count` threads."""
    before = cpu.threads()
    cpu.set_threads(count)
    try:
        yield
    finally:
        cpu.set_threads(before)


def hard_values(n: int, dtype: str, *, seed: int = 0, positive: bool = False) -> np.ndarray[Any, Any]:
    """n numbers of all sizes; every seventh is a zero of either sign, a subnormal, an infinity, NaN, or an extreme."""
    rng, info = np.random.default_rng(seed), np.finfo(dtype)
    values = (rng.standard_normal(n) * 10.0 ** rng.integers(-6, 6, n)).astype(dtype)
    special = [0.0, -0.0, info.smallest_subnormal, -info.tiny / 3, np.inf, -np.inf, np.nan, info.max, info.tiny, 1.0]
    values[::7] = np.resize(np.array(special, dtype), values[::7].shape)
    return np.abs(values) if positive else values


def misaligned(array: np.ndarray[Any, Any], offset: int) -> np.ndarray[Any, Any]:
    """A contiguous copy that begins `offset` elements after a 64-byte boundary."""
    buffer = np.zeros(array.nbytes + 64 + array.itemsize * (offset + 1), np.uint8)
    start = -buffer.ctypes.data % 64 + offset * array.itemsize
    copy = buffer[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def assert_same_bits(got: np.ndarray[Any, Any], want: np.ndarray[Any, Any]) -> None:
    """Fail unless all words are equal, signs of zeros too; a NaN equals any NaN."""
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    word = f"u{got.itemsize}"
    differ = np.ascontiguousarray(got).view(word) != np.ascontiguousarray(want).view(word)
    if got.dtype.kind == "f":
        differ &= ~(np.isnan(got) & np.isnan(want))
    at = np.flatnonzero(differ)
    assert at.size == 0, (
        f"{at.size} of {got.size} words differ, first at {at[:5]}: {got.ravel()[at[:5]]} for {want.ravel()[at[:5]]}"
    )


def relative_error(got: np.ndarray[Any, Any], want: np.ndarray[Any, Any]) -> float:
    """The largest error over the largest value."""
    return float(np.max(np.abs(got - want)) / np.max(np.abs(want)))


def run(code: str, **variables: str) -> str:
    """What a Python process with these environment variables prints."""
    told = {"capture_output": True, "text": True, "check": True, "timeout": PATIENCE}
    return subprocess.run([sys.executable, "-c", code], env=os.environ | variables, **told).stdout.strip()
