"""The limits that streaming kernels are held against, over as many threads: a copy, and moves without arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np

from twingrad.benchmarks import compiled
from twingrad.benchmarks.worker import Prepared
from twingrad.kernels import cpu

LIMITS = ("copy", "no arithmetic")
"""Contenders of these names measure the machine."""

Part = tuple[int, int]


def copy(size: int) -> Prepared:
    """Copy `size` float32; traffic: 4 bytes read, 4 written."""
    source, target = np.ones(size, np.float32), np.zeros(size, np.float32)
    return spread(size, lambda part: np.copyto(target[slice(*part)], source[slice(*part)]), 8)


def moves(arrays: Sequence[Any], bytes_each: int) -> Prepared:
    """Read four arrays and write three of them, as Adam must, in `moves.cpp`; ImportError without a C++ compiler."""
    run = compiled.library("moves.cpp", "-march=native").moves
    own = [array.copy() for array in arrays]  # kept by the step below

    def part_of(part: Part) -> None:
        run(*map(compiled.pointer, own), *map(compiled.integer, part))

    return spread(len(own[0]), part_of, bytes_each)


def spread(size: int, run: Callable[[Part], Any], bytes_each: int) -> Prepared:
    """`run` over [begin, end), split evenly over the threads that the kernels use."""
    threads = cpu.threads() if cpu.available() else 1
    parts = list(pairwise(np.linspace(0, size, threads + 1).astype(int).tolist()))
    pool = ThreadPoolExecutor(threads)

    def step() -> None:
        if threads == 1:
            run(parts[0])
        else:
            list(pool.map(run, parts))

    def check() -> Sequence[float]:
        return []

    return Prepared(step, check, traffic=bytes_each * size, path=f"{threads} threads")
