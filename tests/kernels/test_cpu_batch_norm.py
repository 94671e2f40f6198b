"""Batch norm of the compiled kernels against float64, also where float32 loses digits most easily."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cpu_cases import (
    FLOATS,
    ISAS,
    assert_same_bits,
    instruction_set,
    misaligned,
    needs_kernels,
    relative_error,
    thread_count,
)

from twingrad import functional as F
from twingrad.autodiff.tape import Destination
from twingrad.fusable import fused
from twingrad.kernels.cpu.overrides import batch_norm, batch_norm_backward

pytestmark = needs_kernels
SHAPES = [(2, 1), (3, 64), (64, 65), (129, 130), (1000, 7)]
FRESH = Destination(None, False)
Arrays = list[np.ndarray[Any, Any]]


def inputs(shape: tuple[int, int], dtype: str, *, mean: float = 0.5, deviation: float = 2.0) -> Arrays:
    """x, weight, bias, running mean and running variance."""
    rng, c = np.random.default_rng(0), shape[1]
    x = mean + deviation * rng.standard_normal(shape)
    return [
        a.astype(dtype) for a in (x, rng.uniform(0.5, 2, c), rng.standard_normal(c), rng.standard_normal(c), np.ones(c))
    ]


def in_float64(arrays: Arrays, grad: np.ndarray[Any, Any], training: bool, eps: float = 1e-5) -> dict[str, Any]:
    """Output, gradients and running arrays, each step written out in float64."""
    x, weight, bias, mean, var = (a.astype("f8") for a in arrays)
    n, g = x.shape[0], grad.astype("f8")
    if training:
        batch_mean, batch_var = x.mean(axis=0), x.var(axis=0)
        running = 0.9 * mean + 0.1 * batch_mean, 0.9 * var + 0.1 * batch_var * n / (n - 1)
    else:
        batch_mean, batch_var, running = mean, var, (mean, var)
    std = np.sqrt(batch_var + eps)
    z = (x - batch_mean) / std
    dx = g - training * (g.mean(axis=0) + z * (g * z).mean(axis=0))
    return {
        "out": z * weight + bias,
        "dx": weight / std * dx,
        "dweight": (g * z).sum(axis=0),
        "dbias": g.sum(axis=0),
        "running_mean": running[0],
        "running_var": running[1],
    }


def fused_results(arrays: Arrays, grad: np.ndarray[Any, Any], training: bool) -> dict[str, Any]:
    arrays = [a.copy() for a in arrays]
    out, saved = batch_norm(*arrays, training=training)
    dx, dweight, dbias, _, _ = batch_norm_backward(saved, grad, (FRESH, FRESH, FRESH, None, None))
    results = {"out": out, "dx": dx, "dweight": dweight, "dbias": dbias}
    return results | {"running_mean": arrays[3], "running_var": arrays[4]}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("isa", ISAS)
def test_within_rounding_of_float64(isa: str, dtype: str, training: bool) -> None:
    eps = float(np.finfo(dtype).eps)
    with instruction_set(isa):
        for shape in SHAPES:
            arrays, grad = inputs(shape, dtype), np.random.default_rng(1).standard_normal(shape).astype(dtype)
            want = in_float64(arrays, grad, training)
            std = arrays[0].std(axis=0) if training else 1.0
            largest = (np.abs(grad) * arrays[1] / std).max()  # of the terms of dx, which cancel where N is small
            for name, got in fused_results(arrays, grad, training).items():
                scale = largest if name == "dx" else np.abs(want[name]).max() + 1
                assert np.abs(got - want[name]).max() < 20 * eps * scale, (name, shape)


@pytest.mark.parametrize("shape", [(256, 70), (4000, 70)])
def test_a_mean_of_10000_with_a_deviation_of_a_hundredth(shape: tuple[int, int]) -> None:
    arrays = inputs(shape, "float32", mean=1e4, deviation=1e-2)
    grad = np.random.default_rng(1).standard_normal(shape).astype("float32")
    want = in_float64(arrays, grad, True)
    for name, got in fused_results(arrays, grad, True).items():
        assert relative_error(got, want[name]) < 1e-5, name


@pytest.mark.parametrize("shape", [(200, 300), (3000, 70)])
def test_the_same_words_on_any_thread_count_instruction_set_and_alignment(shape: tuple[int, int]) -> None:
    arrays, grad = inputs(shape, "float32"), np.random.default_rng(1).standard_normal(shape).astype("float32")
    want = fused_results(arrays, grad, True)
    for threads in (1, 2, 3):
        for isa in ISAS:
            with thread_count(threads), instruction_set(isa):
                results = fused_results([misaligned(a, threads) for a in arrays], misaligned(grad, 1), True)
            for name, got in results.items():
                assert_same_bits(got, want[name])


def test_gradients_add_where_the_destination_says() -> None:
    arrays, grad = inputs((20, 3), "float64"), np.random.default_rng(1).standard_normal((20, 3))
    want = in_float64(arrays, grad, True)
    given = [np.full(shape, 2.0) for shape in ((20, 3), (3,), (3,))]
    _, saved = batch_norm(*arrays, training=True)
    got = batch_norm_backward(saved, grad, (*(Destination(a, True) for a in given), None, None))
    for array, at, name in zip(got, given, ("dx", "dweight", "dbias"), strict=False):
        assert array is at
        np.testing.assert_allclose(at, want[name] + 2, rtol=1e-12, atol=1e-12)


def test_evaluation_writes_nothing_and_takes_an_empty_batch() -> None:
    arrays = inputs((4, 3), "float32")
    for array in arrays:
        array.flags.writeable = False
    with fused("require"):
        assert F.batch_norm(*arrays, training=False).shape == (4, 3)
        assert F.batch_norm(arrays[0][:0], *arrays[1:], training=False).shape == (0, 3)
        with pytest.raises(Exception, match="running_mean is read-only"):
            F.batch_norm(*arrays, training=True)
