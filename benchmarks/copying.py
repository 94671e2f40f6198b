"""The limit that streaming kernels are held against: a copy of as many bytes, over as many threads."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from twingrad.benchmarks.worker import Prepared
from twingrad.kernels import cpu


def prepare(size: int) -> Prepared:
    """Copy `size` float32, split evenly over the threads that the kernels use; traffic: 4 bytes read, 4 written."""
    threads = cpu.threads() if cpu.available() else 1
    source, target = np.ones(size, np.float32), np.zeros(size, np.float32)
    bounds = np.linspace(0, size, threads + 1).astype(int)
    parts = [(target[a:b], source[a:b]) for a, b in pairwise(bounds)]
    pool = ThreadPoolExecutor(threads)

    def step() -> None:
        if len(parts) == 1:
            np.copyto(target, source)
        else:
            list(pool.map(lambda part: np.copyto(*part), parts))

    def check() -> Sequence[float]:
        return []

    return Prepared(step, check, traffic=8 * size, path=f"{threads} threads")
