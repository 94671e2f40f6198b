"""A tail in the pass of its operation: bit for bit what the kernels of its parts give one after another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cpu_cases import FLOATS, ISAS, assert_same_bits, instruction_set, needs_kernels, thread_count

from twingrad import Tensor, fused
from twingrad import functional as F
from twingrad.errors import FusedError
from twingrad.functional.tail import finished

pytestmark = needs_kernels
TAILS = {
    "relu": F.Tail("relu"),
    "leaky": F.Tail("leaky_relu", 0.1),
    "steep": F.Tail("leaky_relu", 2.0),
    "flat": F.Tail("leaky_relu", 0.0),
    "sigmoid": F.Tail("sigmoid"),
    "tanh": F.Tail("tanh"),
    "relu dropout": F.Tail("relu", mask=F.Mask(0.3, 2**40 + 1, 3, 9)),
    "relu no dropout": F.Tail("relu", mask=F.Mask(0.0, 1, 2, 3)),
    "relu all dropped": F.Tail("relu", mask=F.Mask(1 - 2.0**-40, 1, 2, 3)),
}
SHAPES = [(2, 1), (5, 32), (40, 64), (33, 100), (70, 65), (20, 300), (300, 192), (2100, 10), (2050, 100)]
Arrays = list[np.ndarray[Any, Any]]


def arguments(head: str, n: int, c: int, dtype: str) -> Arrays:
    rng = np.random.default_rng(n * c)
    shapes = [(n, 24), (c, 24), (c,)] if head == "linear" else [(n, c), (c,), (c,), (c,), (c,)]
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    if head != "linear":
        arrays[4] = abs(arrays[4])
    return arrays


def run(head: str, arrays: Arrays, tail: F.Tail | None, after: F.Tail | None) -> Arrays:
    """The result, gradients and running averages: with `tail` in the pass, and `after` as functions of their own."""
    arrays = [array.copy() for array in arrays]
    leaves = [Tensor(array, requires_grad=True) for array in arrays[:3]]
    with fused("require"):
        if head == "linear":
            y = F.linear(*leaves, tail=tail)
        else:
            y = F.batch_norm(*leaves, *arrays[3:], training=head == "train", tail=tail)
        y = finished(y, after)
        y.backward(np.random.default_rng(1).standard_normal(y.shape).astype(y.dtype))
    return [y.data, *(leaf.grad for leaf in leaves), *arrays[3:]]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", TAILS)
@pytest.mark.parametrize("head", ["linear", "train", "eval"])
def test_equals_its_parts(head: str, name: str, isa: str, dtype: str) -> None:
    with instruction_set(isa):
        for shape in SHAPES:
            arrays = arguments(head, *shape, dtype)
            for got, want in zip(
                run(head, arrays, TAILS[name], None), run(head, arrays, None, TAILS[name]), strict=True
            ):
                assert_same_bits(got, want)


@pytest.mark.parametrize("head", ["linear", "train"])
def test_special_values(head: str) -> None:
    arrays = arguments(head, 12, 70, "float32")
    arrays[0][:5, 3] = [np.nan, np.inf, -np.inf, 0.0, -0.0]
    arrays[2][:4] = [np.nan, np.inf, -np.inf, -0.0]
    with np.errstate(all="ignore"):
        for tail in TAILS.values():
            for got, want in zip(run(head, arrays, tail, None), run(head, arrays, None, tail), strict=True):
                assert_same_bits(got, want)


@pytest.mark.parametrize("head", ["linear", "train"])
@pytest.mark.parametrize("shape", [(700, 320), (500, 100), (5000, 70)])
def test_does_not_depend_on_threads(head: str, shape: tuple[int, int]) -> None:
    arrays, tail = arguments(head, *shape, "float32"), TAILS["relu dropout"]
    found = []
    for threads in (1, 2, 5):
        with thread_count(threads):
            found.append(run(head, arrays, tail, None))
    for other in found[1:]:
        for got, want in zip(other, found[0], strict=True):
            assert_same_bits(got, want)


@pytest.mark.parametrize(
    ("tail", "reason"),
    [
        (F.Tail("tanh", mask=F.Mask(0.5, 0, 0, 0)), "dropout after tanh cannot be told from the result"),
        (F.Tail(mask=F.Mask(0.5, 0, 0, 0)), "dropout after no activation cannot be told"),
        (F.Tail("leaky_relu", -0.1), "a negative_slope of -0.1 hides the sign"),
    ],
)
def test_what_cannot_be_told_from_the_result_takes_the_reference(tail: F.Tail, reason: str) -> None:
    arrays = arguments("linear", 8, 5, "float64")
    with fused("require"), pytest.raises(FusedError, match=reason):
        F.linear(*arrays, tail=tail)
    with fused("never"):
        want = F.linear(*arrays, tail=tail)
    np.testing.assert_allclose(F.linear(*arrays, tail=tail), want, rtol=1e-12, atol=1e-12)
