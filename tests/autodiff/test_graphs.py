"""Graphs of every shape: deep, wide, shared; and nothing that outlives its use."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from twingrad import Tensor, fused, grad, xp
from twingrad import functional as F
from twingrad.autodiff import gradients

DEPTH = 10_000


@pytest.fixture
def no_collector() -> Iterator[None]:
    """What dies here dies by its reference count."""
    gc.disable()
    yield
    gc.enable()


def leaf(values: Any) -> Tensor:
    return Tensor(np.asarray(values, np.float64), requires_grad=True)


def test_a_deep_chain_needs_no_recursion() -> None:
    assert 5 * sys.getrecursionlimit() < DEPTH
    x = leaf([1.0, 2.0])
    y = x
    for _ in range(DEPTH):
        y = y + 0.5
    assert np.array_equal(gradients(y, [x], np.ones(2))[0], [1.0, 1.0])
    y.sum().backward()
    assert np.array_equal(x.grad, [1.0, 1.0])


def test_a_deep_chain_that_is_never_used_is_dropped() -> None:
    y = leaf([1.0])
    for _ in range(5 * DEPTH):
        y = y * 1.0
    del y


def test_a_deep_chain_with_its_graph_recorded() -> None:
    x = leaf(0.5)
    y = x
    for _ in range(1_000):
        y = y * 1.001
    (first,) = gradients(y * y, [x], create_graph=True)
    (second,) = gradients(first, [x])
    assert float(second) == pytest.approx(2 * 1.001**2000, rel=1e-12)


def test_diamonds_are_walked_once() -> None:
    x = leaf([1.0])
    y = x
    for _ in range(60):  # 2**60 paths
        y = (y + y) * 0.5
    y.sum().backward()
    assert np.array_equal(x.grad, [1.0])


SHARED = {
    "diamond": (lambda x: (x * 2.0) * (x * 3.0), lambda x: 12.0 * x),
    "skipped levels": (lambda x: ((x * x) * x) * x + x, lambda x: 4.0 * x**3 + 1.0),
    "one child thrice": (lambda x: (lambda y: y + y * y + y)(x * 1.0), lambda x: 2.0 + 2.0 * x),
    "late use of an early tensor": (
        lambda x: (lambda a, b: a * b + a)(x * 2.0, xp.exp(x * 0.0)),
        lambda x: 4.0 + 0 * x,
    ),
    "view and base": (lambda x: x.reshape(3, 1).reshape(3) * x, lambda x: 2.0 * x),
}


@pytest.mark.parametrize("label", SHARED)
def test_shared_parts_add_up(label: str) -> None:
    f, slope = SHARED[label]
    x = leaf([0.5, 1.0, 2.0])
    f(x).sum().backward()
    assert np.allclose(x.grad, slope(x.data), rtol=1e-15)


def test_a_wide_graph() -> None:
    leaves = [leaf(float(i)) for i in range(500)]
    xp.stack([x * x for x in leaves]).sum().backward()
    assert [float(x.grad) for x in leaves] == [2.0 * i for i in range(500)]


BUILDERS: dict[str, Any] = {
    "elementwise": lambda x: xp.exp(x * x),
    "matmul": lambda x: x @ x.T,
    "concat": lambda x: xp.concat([x, x]),
    "reductions": lambda x: xp.std(x, axis=0),
    "indexing": lambda x: x[np.asarray([0, 0])],
    "linear": lambda x: F.linear(x, x),
    "relu": F.relu,
    "dropout": lambda x: F.dropout(x, p=0.5, seed=1, stream=2, step=3),
    "softmax": lambda x: F.softmax_cross_entropy(x, np.asarray([0, 1])),
    "batch norm": lambda x: F.batch_norm(x, np.ones(2), np.zeros(2), np.zeros(2), np.ones(2), training=True),
}


@pytest.mark.parametrize("mode", ["auto", "never"])
@pytest.mark.parametrize("label", BUILDERS)
def test_a_dropped_graph_leaves_nothing_behind(label: str, mode: str, no_collector: None) -> None:
    with fused(mode):
        x = leaf([[1.0, 2.0], [3.0, 5.0]])
        watched = weakref.ref(x)
        out = BUILDERS[label](x)
        assert out.node is not None
        watched_out = weakref.ref(out)
        loss = xp.sum(out)
        del out
        del loss, x
    assert watched() is None
    assert watched_out() is None


@pytest.mark.parametrize("mode", ["auto", "never"])
@pytest.mark.parametrize("label", BUILDERS)
def test_backward_frees_the_graph(label: str, mode: str, no_collector: None) -> None:
    with fused(mode):
        x = leaf([[1.0, 2.0], [3.0, 5.0]])
        out = BUILDERS[label](x)
        watched = weakref.ref(out)
        loss = xp.sum(out)
        del out
        loss.backward()
        assert watched() is None
        data = weakref.ref(x)
        del x
        assert data() is None
        assert loss.node is not None


@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_makes_no_cycles(create_graph: bool, no_collector: None) -> None:
    x = leaf([[1.0, 2.0], [3.0, 5.0]])
    watched = weakref.ref(x)
    out = xp.sum(xp.exp(x @ x.T) * 1e-9 + xp.std(x) + xp.concat([x, x])[0, 0])
    found = gradients(out, [x], create_graph=create_graph)
    second = gradients(xp.sum(found[0]), [x]) if create_graph else None
    del out, found, second, x
    assert watched() is None


def test_nested_grad_makes_no_cycles(no_collector: None) -> None:
    x = Tensor(np.asarray(3.0))
    watched = weakref.ref(x)
    result = grad(grad(lambda w: w**3 * xp.exp(w)))(x)
    del result, x
    assert watched() is None


def test_a_result_whose_gradient_is_switched_off_is_a_constant() -> None:
    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    middle = x * 2.0
    middle.requires_grad = False
    (middle * y).sum().backward()
    assert x.grad is None
    assert np.array_equal(y.grad, [2.0, 4.0])
