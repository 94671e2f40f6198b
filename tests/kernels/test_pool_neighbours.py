"""Beside another busy program a step takes at most four times as long."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from cpu_cases import needs_kernels, thread_count

import twingrad as tg
from twingrad.kernels import cpu

import networks
from processes import running

CPUS = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
pytestmark = [
    needs_kernels,
    pytest.mark.skipif(not cpu.available() or cpu.blas() is not None, reason="no OpenBLAS of NumPy's wheels"),
    pytest.mark.slow,  # measures time
    pytest.mark.skipif(len(CPUS) < 2, reason="pins a program to one of two processors that this process may use"),
]
SECONDS, ATTEMPTS = 0.4, 6


@contextmanager
def busy_program(processor: int) -> Iterator[None]:
    """Another process keeps one processor busy."""
    code = f"import os; os.sched_setaffinity(0, {{{processor}}})\nwhile True: pass"
    with running([sys.executable, "-S", "-c", code]):
        time.sleep(0.1)
        yield


def mean_time(step: Any) -> float:
    """Seconds a step takes on the average, over SECONDS."""
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        step()
        count += 1
    return (time.perf_counter() - start) / count


def test_a_step_beside_a_busy_program() -> None:
    """Other programs disturb either side, so the best of some attempts counts."""
    layers = [tg.nn.Linear(784, 512), tg.nn.BatchNorm(512), tg.nn.ReLU(), tg.nn.Linear(512, 10)]
    model = tg.nn.Sequential(*layers, seed=0)
    captured = tg.capture(networks.stepper(model, tg.optim.Adam(model, lr=0.01)))
    rng = np.random.default_rng(0)
    batch = rng.standard_normal((128, 784), np.float32), rng.integers(0, 10, 128)
    ratios = []
    with thread_count(2):
        for _ in range(ATTEMPTS):
            alone = mean_time(lambda: captured(*batch))
            with busy_program(CPUS[0]):
                ratios.append(mean_time(lambda: captured(*batch)) / alone)
            if ratios[-1] <= 4:
                return
    pytest.fail(f"beside a busy program a step takes {min(ratios):.1f} times as long")
