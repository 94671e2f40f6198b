"""Philox words: the compiled generator against its reference, and what W costs on each instruction set.

    pytest benchmarks/bench_philox.py

Words are 4 bytes each, written once. "stream" draws consecutive words; "tile" draws those of 64-column tiles of a
row-major array, as a kernel does that works down columns. The widths are compiled on the spot from philox_width.cpp,
so they need a C++ compiler. One thread.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from twingrad.benchmarks import compiled
from twingrad.kernels import cpu
from twingrad.kernels.cpu import loader
from twingrad.random import philox4x32, words

ROWS, COLUMNS, SEED = 128, 512, 3
COUNT = ROWS * COLUMNS
WIDTHS = (16, 32, 64, 128)
ISAS = loader.usable(cpu.library().c.tg_level()) if cpu.available() else []
KEY = {"seed": SEED, "step": 1, "stream": 2}


def expected(width: int) -> NDArray[np.uint32]:
    """The first COUNT words in the layout of this width, by the reference."""
    counters = np.arange(COUNT // 4, dtype=np.uint64)
    zero = counters ^ counters
    lanes = philox4x32((counters, zero, zero + np.uint64(1), zero + np.uint64(2)), (SEED, 0))
    return np.stack([lane.reshape(-1, width) for lane in lanes], axis=1).reshape(-1).astype(np.uint32)


def report(benchmark: Any, draw: Callable[[], Any]) -> None:
    """Time `draw`, and note the words per second and the bytes that they fill."""
    benchmark.pedantic(draw, rounds=200, warmup_rounds=20)
    if not benchmark.enabled:
        return
    seconds = benchmark.stats.stats.median
    benchmark.extra_info |= {"ns_per_word": seconds / COUNT * 1e9, "bytes_per_second": 4 * COUNT / seconds}


@pytest.fixture(scope="module", params=ISAS)
def widths(request: pytest.FixtureRequest) -> ctypes.CDLL:
    """philox_width.cpp compiled for one instruction set."""
    try:
        return compiled.library("philox_width.cpp", f"-march=x86-64-{request.param}")
    except ImportError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("loop", ["stream", "tile"])
@pytest.mark.parametrize("width", WIDTHS)
def test_width(benchmark: Any, widths: ctypes.CDLL, width: int, loop: str) -> None:
    out = np.zeros(COUNT, np.uint32)
    draw = getattr(widths, f"{loop}_{width}")
    arguments = [compiled.pointer(out), *map(ctypes.c_uint64, (ROWS, COLUMNS, SEED))]
    draw(*arguments)
    assert np.array_equal(out, expected(width))
    report(benchmark, lambda: draw(*arguments))


def test_reference(benchmark: Any) -> None:
    assert np.array_equal(words(COUNT, **KEY), expected(16))
    report(benchmark, lambda: words(COUNT, **KEY))


@pytest.mark.parametrize("threads", [1, 2])
def test_kernel(benchmark: Any, threads: int) -> None:
    if not cpu.available():
        pytest.skip(str(cpu.unavailable()))
    out, before = np.zeros(COUNT, np.uint32), cpu.threads()
    kernel = cpu.Kernel("philox_words", 1, "qqQQqq")
    cpu.set_threads(threads)
    try:
        kernel((out,), COUNT, 0, SEED, 0, 2, 1)
        assert np.array_equal(out, words(COUNT, **KEY))
        report(benchmark, lambda: kernel((out,), COUNT, 0, SEED, 0, 2, 1))
    finally:
        cpu.set_threads(before)
