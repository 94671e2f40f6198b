"""No result depends on the number of threads: every operation with a kernel, split products, flat updates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cpu_cases import FLOATS, assert_same_bits, needs_kernels, thread_count

from twingrad import Tensor, fusable
from twingrad import functional as F
from twingrad.functional.adam import adam_control
from twingrad.functional.rmsprop import rmsprop_control
from twingrad.functional.sgd import sgd_control
from twingrad.functional.terms import Terms
from twingrad.fusable import fused
from twingrad.kernels.cpu import overrides

pytestmark = needs_kernels

assert overrides  # registers the kernels
THREADS = (2, 3, 7)
SIZE = 200_001
"""Elements of a flat update: seven tiles."""

Row = tuple[Callable[[Any, str], tuple[Any, ...]], dict[str, Any], int]


def normal(*shapes: tuple[int, ...]) -> Callable[[Any, str], tuple[Any, ...]]:
    return lambda rng, dtype: tuple(rng.standard_normal(shape).astype(dtype) for shape in shapes)


def positive(*shapes: tuple[int, ...]) -> Callable[[Any, str], tuple[Any, ...]]:
    return lambda rng, dtype: tuple(np.abs(a) for a in normal(*shapes)(rng, dtype))


def update(make: Callable[..., Any], states: int, **options: Any) -> Row:
    """A rule over two segments and what lies between them."""

    def arrays(rng: Any, dtype: str) -> tuple[Any, ...]:
        segments = np.asarray([(0, SIZE // 3), (SIZE // 2, SIZE - SIZE // 2)], np.int64)
        control = np.asarray([make(step=2, lr=0.1, l2=0.01, limit=0.5, **options)] * 2, np.float64)
        flat = normal(*[(SIZE,)] * 2)(rng, dtype) + positive(*[(SIZE,)] * states)(rng, dtype)
        return *flat, segments, control

    return arrays, {}, 0


def clipped(rng: Any, dtype: str) -> tuple[Any, ...]:
    segments = np.asarray([(0, SIZE // 3), (SIZE // 2, SIZE - SIZE // 2)], np.int64)
    return *normal((SIZE,))(rng, dtype), segments, np.asarray([Terms()] * 2, np.float64), np.zeros(1)


def targets(make: Callable[[Any], Any], shape: tuple[int, ...] = (3000, 33)) -> Callable[[Any, str], tuple[Any, ...]]:
    return lambda rng, dtype: (*normal(shape)(rng, dtype), make(rng).astype(dtype if shape == (3000, 33) else np.int64))


def gathered(rng: Any, dtype: str) -> tuple[Any, ...]:
    return rng.integers(0, 900, 5000), rng.integers(0, 256, (900, 333)).astype(np.uint8), *normal((256,))(rng, dtype)


MASK = {"p": 0.3, "seed": 5, "stream": 1, "step": 2}
NORM = normal((300, 1000), (1000,), (1000,))
NUMBERS = targets(lambda rng: rng.random((3000, 33)))
WIDE: dict[str, Row] = {
    **{name: (normal((70_001,)), {}, 1) for name in ("relu", "leaky_relu", "sigmoid", "tanh")},
    "linear": (normal((300, 257), (401, 257), (401,)), {}, 3),
    "softmax": (normal((3000, 33)), {}, 1),
    "dropout": (normal((70_001,)), MASK, 1),
    "layer_norm": (NORM, {}, 3),
    "batch_norm": (
        lambda rng, dtype: (*NORM(rng, dtype), *positive((1000,), (1000,))(rng, dtype)),
        {"training": True},
        3,
    ),
    "embedding": (lambda rng, dtype: (rng.integers(0, 900, 5000), *normal((900, 333))(rng, dtype)), {}, 2),
    "gather": (gathered, {}, 0),
    "softmax_cross_entropy": (targets(lambda rng: rng.integers(0, 40, 4000), (4000, 40)), {}, 1),
    **{name: (NUMBERS, {}, 1) for name in ("binary_cross_entropy", "mean_squared_error", "mean_absolute_error")},
    "adam_segments": update(adam_control, 2, beta1=0.9, beta2=0.99, eps=1e-8),
    "sgd_segments": update(sgd_control, 1, momentum=0.9),
    "rmsprop_segments": update(rmsprop_control, 3, alpha=0.9, momentum=0.8, eps=1e-8),
    "clip_segments": (clipped, {"max_norm": 1.0}, 0),
}
"""Inputs of so many tiles that all threads get some: arrays, options, and how many of the first get gradients."""


def results(name: str, dtype: str) -> list[Any]:
    """What an operation returns, the gradients, and its arrays, for updates write into them."""
    make, options, differentiable = WIDE[name]
    rng = np.random.default_rng(3)
    arrays = make(rng, dtype)
    leaves = [Tensor(a, requires_grad=a.dtype.kind == "f") if i < differentiable else a for i, a in enumerate(arrays)]
    with fused("require"):
        out = getattr(F, name)(*leaves, **options)
    found = [a for a in (*arrays, None if differentiable else out) if a is not None]
    if differentiable:
        out.backward(rng.standard_normal(out.shape).astype(dtype))
        found += [out.data, *[leaf.grad for leaf in leaves[:differentiable] if leaf.requires_grad]]
    return found


def test_every_operation_with_a_kernel_has_wide_inputs() -> None:
    missing = {name for name, operation in fusable.registry.items() if "cpu" in operation.kernels} - WIDE.keys()
    assert not missing, f"give {sorted(missing)} inputs in WIDE, so that its results on 1 and on 7 threads are compared"


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", WIDE)
def test_operations(name: str, dtype: str) -> None:
    with thread_count(1):
        want = results(name, dtype)
    for threads in THREADS:
        with thread_count(threads):
            for got, expected in zip(results(name, dtype), want, strict=True):
                assert_same_bits(got, expected)


@pytest.mark.parametrize("shape", [(512, 784, 2048), (257, 300, 129), (64, 4000, 33), (1000, 500, 10), (32, 12288, 25)])
def test_products(shape: tuple[int, int, int]) -> None:
    """Forward, both gradients, and gradients that are added to what is there."""
    m, k, n = shape
    rng = np.random.default_rng(0)
    x, weight, grad, there = (rng.standard_normal(s).astype("f4") for s in ((m, k), (n, k), (m, n), (n, k)))
    found = {}
    for threads in (1, *THREADS):
        out, dx, dweight, added = (np.empty_like(a) for a in (grad, x, weight, there))
        added[...] = there
        with thread_count(threads):
            overrides.product(out, x, weight, tb=True)
            overrides.product(dx, grad, weight)
            overrides.product(dweight, grad, x, ta=True)
            overrides.product(added, grad, x, ta=True, beta=1.0)
        found[threads] = out, dx, dweight, added
    for threads in THREADS:
        for got, want in zip(found[threads], found[1], strict=True):
            assert_same_bits(got, want)
