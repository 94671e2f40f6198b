"""Products split over the BLAS, and the bias: within rounding of float64, the same words on any thread count."""

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
    thread_count,
)

from twingrad import functional as F
from twingrad.autodiff.tape import Destination
from twingrad.fusable import fused
from twingrad.kernels import cpu
from twingrad.kernels.cpu.arguments import split
from twingrad.kernels.cpu.overrides import COLUMN_SUMS, linear_backward, product

pytestmark = [
    needs_kernels,
    pytest.mark.skipif(
        not cpu.available() or cpu.blas() is not None, reason="NumPy here has no OpenBLAS of its wheels"
    ),
]
SHAPES = [
    (1, 1, 1),
    (3, 5, 7),
    (64, 10, 64),
    (128, 10, 512),
    (130, 300, 70),
    (300, 520, 65),
    (257, 129, 128),
    (5, 4, 0),
    (7, 3, 40_000),
    (40, 20, 5000),
    (600, 20, 1700),
    (25, 3000, 70),
    (520, 600, 30),
    (2100, 1030, 17),
    (200, 100, 784),
    (37, 1793, 257),
    (97, 33, 1000),
]
FRESH = Destination(None, False)


def normal(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def tolerance(dtype: str, k: int) -> float:
    """Error of sums of k products, over the largest of them: below sqrt(k) + 4 roundings here."""
    return float(np.finfo(dtype).eps) * (k**0.5 + 4)


@pytest.mark.parametrize(("ta", "tb"), [(False, False), (False, True), (True, False)])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", SHAPES)
def test_product(shape: tuple[int, int, int], dtype: str, ta: bool, tb: bool) -> None:
    m, n, k = shape
    a, b = normal((k, m) if ta else (m, k), dtype), normal((n, k) if tb else (k, n), dtype, 1)
    want = (a.T if ta else a).astype("f8") @ (b.T if tb else b).astype("f8")
    for beta in (0.0, 1.0):
        start = normal((m, n), dtype, 2)
        out = start.copy() if beta else np.full((m, n), np.nan, dtype)
        product(out, a, b, ta=ta, tb=tb, beta=beta)
        error = np.abs(out - (want + beta * start.astype("f8"))).max()
        assert error <= tolerance(dtype, k) * (1 + np.abs(want).max())


@pytest.mark.parametrize(
    "shape",
    [(128, 512, 784), (37, 1793, 257), (200, 100, 784), (300, 520, 65), (1000, 10, 64), (2048, 3, 33), (32, 25, 12288)],
)
def test_product_has_the_same_words_on_any_thread_count_and_alignment(shape: tuple[int, int, int]) -> None:
    m, n, k = shape
    a, b, bias = normal((m, k), "float32"), normal((n, k), "float32", 1), normal((n,), "float32", 2)
    results = []
    for threads in (1, 2, 3):
        for offset in (0, 1):
            with thread_count(threads), fused("require"):
                results.append(F.linear(misaligned(a, offset), misaligned(b, offset), misaligned(bias, offset)))
    for other in results[1:]:
        assert_same_bits(other, results[0])


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("isa", ISAS)
def test_bias_is_added_after_the_product(isa: str, dtype: str) -> None:
    with instruction_set(isa), fused("require"):
        for n, k in ((1, 70), (7, 70), (16, 70), (33, 70), (300, 70), (25, 3001)):
            x, weight, bias = normal((130, k), dtype), normal((n, k), dtype, 1), normal((n,), dtype, 2)
            assert_same_bits(F.linear(x, weight, bias), F.linear(x, weight) + bias)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("isa", ISAS)
def test_column_sums(isa: str, dtype: str) -> None:
    with instruction_set(isa):
        for rows, columns in [(0, 5), (1, 1), (63, 64), (64, 65), (1000, 130), (20_000, 3)]:
            x, start = normal((rows, columns), dtype) + 1, normal((columns,), dtype, 1)
            for accumulate in (False, True):
                out = start.copy()
                partial, *sizes = split(x, 1)
                COLUMN_SUMS((out, x, partial), *sizes, accumulate)
                want = x.sum(axis=0, dtype=np.longdouble) + accumulate * start.astype(np.longdouble)
                assert np.abs(out - want).max() <= 8 * np.finfo(dtype).eps * (np.abs(want).max() + 1)


@pytest.mark.parametrize("accumulate", [False, True])
def test_gradients_go_where_they_belong(accumulate: bool) -> None:
    x, weight, grad = normal((9, 4), "float64"), normal((5, 4), "float64", 1), normal((9, 5), "float64", 2)
    want = (grad @ weight, grad.T @ x, grad.sum(axis=0))
    given = [np.full(array.shape, 2.0) for array in want]
    into = tuple(Destination(array, accumulate) for array in given)
    got = linear_backward((x, weight, np.zeros(5), None, None), grad, into)
    for array, at, expected in zip(got, given, want, strict=True):
        assert array is at
        np.testing.assert_allclose(at, expected + 2 * accumulate, rtol=1e-13, atol=1e-13)


def test_only_the_gradients_asked_for() -> None:
    x, weight, bias = normal((9, 4), "float32"), normal((5, 4), "float32", 1), normal((5,), "float32", 2)
    saved, grad = (x, weight, bias, None, None), np.ones((9, 5), np.float32)
    assert linear_backward(saved, grad, (None, None, None)) == (None, None, None)
    assert [g is None for g in linear_backward(saved, grad, (None, FRESH, None))] == [True, False, True]
    assert len(linear_backward((x, weight, None, None, None), grad, (FRESH, FRESH))) == 2


def test_an_empty_batch() -> None:
    x, weight, bias = np.ones((0, 4)), np.ones((5, 4)), np.ones(5)
    with fused("require"):
        assert F.linear(x, weight, bias).shape == (0, 5)
    dx, dweight, dbias = linear_backward((x, weight, bias, None, None), np.ones((0, 5)), (FRESH, FRESH, FRESH))
    assert dx is not None
    assert dweight is not None
    assert dbias is not None
    assert dx.shape == (0, 4)
    assert not dweight.any()
    assert not dbias.any()
    assert dweight.shape == (5, 4)
