"""Softmax cross-entropy of the compiled kernels against float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cpu_cases import FLOATS, ISAS, assert_same_bits, instruction_set, misaligned, needs_kernels, thread_count

from twingrad import functional as F
from twingrad.autodiff.tape import Destination
from twingrad.fusable import fused
from twingrad.kernels.cpu.losses import softmax_backward, softmax_cross_entropy

pytestmark = needs_kernels
FRESH = Destination(None, False)
Array = np.ndarray[Any, Any]


def case(n: int, c: int, dtype: str, scale: float = 5.0) -> tuple[Array, Array]:
    rng = np.random.default_rng(n + c)
    return (scale * rng.standard_normal((n, c))).astype(dtype), rng.integers(0, c, n)


def in_float64(logits: Array, target: Array, reduction: str, grad: Array) -> tuple[Array, Array]:
    z = logits.astype("f8") - logits.max(axis=1, keepdims=True).astype("f8")
    e = np.exp(z)
    rows = np.arange(len(z))
    losses = np.log(e.sum(axis=1)) - z[rows, target]
    dz = e / e.sum(axis=1, keepdims=True)
    dz[rows, target] -= 1
    out = losses if reduction == "none" else getattr(np, reduction)(losses)
    return out, dz * np.reshape(grad, (-1, 1)) / (len(z) if reduction == "mean" else 1)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("isa", ISAS)
def test_within_rounding_of_float64(isa: str, dtype: str, reduction: str) -> None:
    eps = float(np.finfo(dtype).eps)
    with instruction_set(isa):
        for n, c in [(1, 1), (5, 2), (64, 10), (7, 5000), (3000, 11)]:
            logits, target = case(n, c, dtype)
            grad = np.full((n,) if reduction == "none" else (), 0.75, dtype)
            loss, saved = softmax_cross_entropy(logits, target, reduction=reduction)
            dlogits, none, *_ = softmax_backward(saved, grad, (FRESH, None))
            want, want_grad = in_float64(logits, target, reduction, grad)
            assert none is None
            assert dlogits is not None
            assert np.abs(loss - want).max() <= 8 * eps * (1 + np.abs(want).max()) * (1 + (c > 1000) * 8)
            assert (
                np.abs(dlogits - want_grad).max()
                <= 8 * eps * np.abs(want_grad).max() * (1 + (c > 1000) * 8) + eps * 1e-2
            )


def test_large_logits_do_not_overflow_and_nan_is_handed_on() -> None:
    with fused("require"):
        assert F.softmax_cross_entropy(np.array([[1e30, 0.0, -1e30]]), np.array([0])) == 0
        assert F.softmax_cross_entropy(np.array([[1e4, 0.0]], np.float32), np.array([1])) == 1e4
        assert np.isnan(F.softmax_cross_entropy(np.array([[np.nan, 0.0]]), np.array([1])))
        assert np.isnan(F.softmax_cross_entropy(np.array([[0.0, np.nan]]), np.array([0])))


def test_a_label_out_of_range_makes_its_row_nan() -> None:
    logits = np.zeros((3, 4))
    loss, saved = softmax_cross_entropy(logits, np.array([0, 4, -1]), reduction="none")
    assert np.isnan(loss).tolist() == [False, True, True]
    dlogits, *_ = softmax_backward(saved, np.ones(3), (FRESH, None))
    assert dlogits is not None
    assert np.isnan(dlogits).all(axis=1).tolist() == [False, True, True]


def test_the_same_words_on_any_thread_count_instruction_set_and_alignment() -> None:
    logits, target = case(3000, 12, "float32")
    want = softmax_cross_entropy(logits, target)[0]
    for threads in (1, 2, 3):
        for isa in ISAS:
            with thread_count(threads), instruction_set(isa):
                assert_same_bits(softmax_cross_entropy(misaligned(logits, threads), target)[0], want)


def test_an_empty_batch_and_other_integer_types() -> None:
    with fused("require"):
        with pytest.raises(ValueError, match="no mean over nothing"):
            F.softmax_cross_entropy(np.ones((0, 3)), np.ones(0, np.int64))
        assert F.softmax_cross_entropy(np.ones((0, 3)), np.ones(0, np.int64), reduction="sum") == 0
        with pytest.raises(Exception, match="NumPy int64 is needed"):
            F.softmax_cross_entropy(np.ones((1, 3)), np.ones(1, np.int32))
