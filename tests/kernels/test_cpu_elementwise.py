"""ReLU, sums and copies of the compiled kernels, bit for bit those of NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cpu_cases import (
    FLOATS,
    ISAS,
    TAILS,
    assert_same_bits,
    hard_values,
    instruction_set,
    misaligned,
    needs_kernels,
    thread_count,
)

from twingrad.kernels.cpu import Kernel
from twingrad.kernels.cpu.overrides import RELU, RELU_BACKWARD

pytestmark = needs_kernels
CASES = {
    "relu": (RELU, lambda x: np.where(x <= 0, x.dtype.type(0), x)),
    "relu_backward": (RELU_BACKWARD, lambda x, grad: np.where(x <= 0, x.dtype.type(0), grad)),
    "copy": (Kernel("copy", 2, "q"), lambda x: x),
    "add": (Kernel("add", 3, "q"), lambda x, y: x + y),
}


def run(name: str, inputs: list[np.ndarray[Any, Any]], offset: int = 0) -> np.ndarray[Any, Any]:
    out = misaligned(np.full_like(inputs[0], 77), offset)
    CASES[name][0]((out, *(misaligned(x, offset + i) for i, x in enumerate(inputs))), out.size)
    return out


def inputs_of(name: str, n: int, dtype: str) -> list[np.ndarray[Any, Any]]:
    count = 2 if name in ("add", "relu_backward") else 1
    return [hard_values(n, dtype, seed=n + 1000 * i) for i in range(count)]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("isa", ISAS)
def test_equals_numpy(isa: str, dtype: str, name: str) -> None:
    with instruction_set(isa), np.errstate(all="ignore"):
        for i, n in enumerate(TAILS):
            inputs = inputs_of(name, n, dtype)
            assert_same_bits(run(name, inputs, i % 5), CASES[name][1](*inputs))


@pytest.mark.parametrize("name", CASES)
def test_does_not_depend_on_threads(name: str) -> None:
    inputs = inputs_of(name, 100_003, "float32")
    with np.errstate(all="ignore"):
        want = CASES[name][1](*inputs)
    for threads in (1, 2, 3, 5):
        with thread_count(threads):
            assert_same_bits(run(name, inputs), want)


def test_counter_and_int64_copy() -> None:
    cell, copied = np.array([41]), np.zeros(1, np.int64)
    Kernel("counter_add", 1, "q")((cell,), 1)
    Kernel("copy", 2, "q")((copied, cell), 1)
    assert cell[0] == copied[0] == 42
