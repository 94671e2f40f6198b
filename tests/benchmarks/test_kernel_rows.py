"""The benchmarks of kernels leave none out, and count the bytes that they say."""

from __future__ import annotations

import importlib
import math

import numpy as np
import pytest

from twingrad.benchmarks import bench_kernels, bench_optimizers
from twingrad.benchmarks.kernel_rows import ROWS, Row, Step, normal
from twingrad.fusable import PROVIDERS, registry

from kernels_here import no_kernels

SMALLEST = bench_optimizers.SMALLEST
BENCHED = {row.operation for row in ROWS.values()} | {rule.operation for rule in bench_optimizers.RULES.values()}


CONVERSIONS = {"narrow", "widen"}
"""Between float32 and bfloat16, of CUDA alone: a whole step in bf16 is timed with them."""


@pytest.mark.parametrize("backend", PROVIDERS)
def test_every_kernel_is_measured(backend):
    reason = no_kernels()
    if reason:
        pytest.skip(f"no kernels are registered: {reason}")
    importlib.import_module(PROVIDERS[backend])
    assert {
        name for name, operation in registry.items() if backend in operation.kernels
    } - BENCHED - CONVERSIONS == set()


def test_every_operation_has_a_small_row_and_a_large_one():
    for name in {row.operation for row in ROWS.values()}:
        assert {row.large for row in ROWS.values() if row.operation == name} == {False, True}, name


@pytest.mark.parametrize(
    ("name", "per_element"),
    [
        ("relu 128x512", 20),  # reads x, writes y; reads x and dy, writes dx
        ("dropout 128x512", 16),  # draws its mask again in place of a second read
        ("mean_squared_error 128x10", 20),  # reads x and y; reads both again, writes dx
    ],
)
def test_bytes_of_an_elementwise_row(name, per_element):
    step = Step(ROWS[name])
    found = step("auto")
    scalars = 2 * 4 if found[0].ndim == 0 else 0  # a loss, and its gradient
    assert step.row.traffic(step.arrays, found) == per_element * step.arrays[0].size + scalars


def test_bytes_of_an_embedding_are_those_looked_up():
    row = Row("embedding", lambda rng: (np.asarray([1, 1, 0]), *normal((1000, 4))(rng)), {}, (1,), (0,))
    step = Step(row)
    indices, rows, table = 3 * 8, 3 * 4 * 4, 1000 * 4 * 4
    assert row.traffic(step.arrays, step("auto")) == 2 * indices + 3 * rows + table


def test_kernels_that_differ_are_told():
    case = bench_kernels.CASES["relu 128x512"]
    bench_kernels.agree(case, {"fused": [2.0, 1.0, 2.0], "reference": [2.0, 1.0, 2.0], "copy": []})
    with pytest.raises(AssertionError, match="relu"):
        bench_kernels.agree(case, {"fused": [2.0, 1.0, 2.0], "reference": [2.0, 1.0, 2.0 + 1e-15]})
    loose = bench_kernels.CASES["tanh 128x512"]
    bench_kernels.agree(loose, {"fused": [2.0, 1.0, 0.5], "reference": [2.0, 1.0, 0.5 + 1e-7]})
    with pytest.raises(AssertionError, match="tanh"):
        bench_kernels.agree(loose, {"fused": [2.0, 1.0, 0.5], "reference": [2.0, 1.0, 0.5 + 1e-5]})


@pytest.mark.parametrize("rule", bench_optimizers.RULES)
def test_optimizers_step_from_the_same_start(rule):
    case = {"rule": rule, "size": SMALLEST}
    weights, step = bench_optimizers.stepper(case, "auto")
    (value, _) = bench_optimizers.values(case)[0]
    for _ in range(2):
        step()
    found, *averages = weights()
    assert not np.array_equal(found, value)
    assert len(averages) == bench_optimizers.RULES[rule].average
    for average in averages:
        assert not np.array_equal(average, found)


def test_the_kernel_without_arithmetic_stands_beside_adam_alone():
    bytes_of = {rule: bench_optimizers.traffic({"rule": rule, "size": SMALLEST}) for rule in bench_optimizers.RULES}
    assert {rule for rule, found in bytes_of.items() if found == bytes_of["Adam"]} == {"Adam", "AdamW"}
    with pytest.raises(ImportError, match="those of Adam"):
        bench_optimizers.moves({"rule": "SGD", "size": SMALLEST})


def test_bytes_of_the_model_of_many_tensors():
    case = bench_optimizers.CASES["Adam, 200 x (256x256 + 256)"]
    assert bench_optimizers.count(case) == 200 * (256 * 256 + 256)
    assert math.isclose(bench_optimizers.traffic(case), 28 * bench_optimizers.count(case))
