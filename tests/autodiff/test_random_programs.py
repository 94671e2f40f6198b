"""Programs drawn at random: their gradients are those of differences and of PyTorch, however they are taken."""

from __future__ import annotations

from typing import Any

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

import twingrad as tg
from twingrad import Tensor, xp
from twingrad.autodiff import gradients

from numerics import central_differences, relative_error

SHAPES = [(), (3,), (2, 1), (2, 3)]


def size(a: Any) -> int:
    return int(np.prod(a.shape))


def flat(kit: Any, a: Any) -> Any:
    return kit.reshape(a, (size(a),))


def like(kit: Any, values: Any, a: Any) -> Any:
    return kit.reshape(values, tuple(a.shape))


def outer(kit: Any, a: Any) -> Any:
    return kit.matmul(kit.reshape(a, (size(a), 1)), kit.reshape(a, (1, size(a))))


BINARY: dict[str, Any] = {
    "add": lambda kit, a, b: a + b,
    "subtract": lambda kit, a, b: a - b,
    "multiply": lambda kit, a, b: a * b,
    "divide": lambda kit, a, b: a / (1.5 + b * b),
    "reflected": lambda kit, a, b: 2.0 - a * (0.5 * b),
    "where": lambda kit, a, b: kit.where(a + 0 * b > 0.1, a * b, b - a),
}
UNARY: dict[str, Any] = {
    "tanh": lambda kit, a: kit.tanh(a),
    "exp": lambda kit, a: kit.exp(-a * a),
    "sin": lambda kit, a: kit.sin(2.0 * a),
    "log": lambda kit, a: kit.log(1.0 + a * a),
    "power": lambda kit, a: (1.0 + a * a) ** 0.5,
    "sum": lambda kit, a: a - kit.sum(a) / 7.0,
    "mean": lambda kit, a: a * kit.mean(a),
    "joined": lambda kit, a: like(kit, kit.concat([flat(kit, a), 2.0 * flat(kit, a)])[size(a) // 2 :][: size(a)], a),
    "picked": lambda kit, a: like(kit, flat(kit, a)[[*range(size(a))][::-1]], a) * a,
    "product": lambda kit, a: like(kit, 0.1 * kit.matmul(outer(kit, a), flat(kit, a)), a),
    "turned": lambda kit, a: a if len(a.shape) < 2 else kit.reshape(a.T, (a.shape[1] * a.shape[0],))[0] + a,
}


@st.composite
def programs(draw: Any) -> tuple[list[tuple[Any, ...]], list[np.ndarray]]:
    """Steps, each of what came before it, and the inputs."""
    inputs = [np.asarray(draw(numbers(s))) for s in draw(st.lists(st.sampled_from(SHAPES), min_size=1, max_size=3))]
    steps: list[tuple[Any, ...]] = []
    for count in range(len(inputs), len(inputs) + draw(st.integers(1, 8))):
        one, other = (draw(st.integers(0, count - 1)) for _ in range(2))
        table = draw(st.sampled_from([UNARY, BINARY]))
        name = draw(st.sampled_from(sorted(table)))
        steps.append((table[name], one) if table is UNARY else (table[name], one, other))
    return steps, inputs


def numbers(shape: tuple[int, ...]) -> Any:
    size = int(np.prod(shape))
    drawn = st.lists(st.floats(-1.5, 1.5, width=32), min_size=size, max_size=size)
    return drawn.map(lambda values: np.asarray(values, np.float64).reshape(shape))


def run(steps: list[tuple[Any, ...]], kit: Any, *inputs: Any) -> Any:
    """The sum of all that the program computes, so that every step counts."""
    values = list(inputs)
    for function, *places in steps:
        values.append(function(kit, *(values[p] for p in places)))
    return sum((kit.sum(v) for v in values[len(inputs) :]), 0.0)


def smooth(steps: list[tuple[Any, ...]]) -> bool:
    return all(step[0] is not BINARY["where"] for step in steps)


@hypothesis.given(programs())
def test_gradients_are_those_of_differences(program: Any) -> None:
    steps, inputs = program
    hypothesis.assume(smooth(steps))
    found = tg.grad(lambda *a: run(steps, xp, *a), tuple(range(len(inputs))))(*inputs)
    expected = central_differences(lambda *a: run(steps, np, *a), inputs, np.ones(()))
    for one, other, array in zip(found, expected, inputs, strict=True):
        assert (one.shape, one.dtype) == (array.shape, array.dtype)
        assert np.allclose(one, other, rtol=1e-6, atol=1e-7 * max(1.0, float(np.max(np.abs(other), initial=0.0))))


@pytest.mark.oracle
@hypothesis.settings(max_examples=50)
@hypothesis.given(programs())
def test_first_and_second_gradients_are_pytorch_s(program: Any) -> None:
    torch = pytest.importorskip("torch")
    steps, inputs = program
    ours = [Tensor(a, requires_grad=True) for a in inputs]
    theirs = [torch.from_numpy(a).requires_grad_() for a in inputs]
    value, expected = run(steps, xp, *ours), run(steps, torch, *theirs)
    assert relative_error(value.data, expected.detach().numpy()) <= 1e-13
    firsts = gradients(value, ours, create_graph=True)
    torch_firsts = torch.autograd.grad(expected, theirs, create_graph=True, materialize_grads=True)
    again, torch_again = sum(xp.sum(g * g) for g in firsts), sum(torch.sum(g * g) for g in torch_firsts)
    for one, other in zip(firsts, torch_firsts, strict=True):
        assert np.allclose(one.data, other.detach().numpy(), rtol=1e-10, atol=1e-10)
    if not torch_again.requires_grad:
        return
    seconds = gradients(again, ours)
    torch_seconds = torch.autograd.grad(torch_again, theirs, allow_unused=True, materialize_grads=True)
    for one, other in zip(seconds, torch_seconds, strict=True):
        scale = max(1.0, float(np.max(np.abs(one), initial=0.0)))
        assert np.allclose(one, other.numpy(), rtol=1e-9, atol=1e-9 * scale)


@hypothesis.given(programs())
def test_every_way_to_a_gradient_gives_the_same_bits(program: Any) -> None:
    steps, inputs = program
    f: Any = lambda *a: run(steps, xp, *a)  # noqa: E731
    leaves = [Tensor(a, requires_grad=True) for a in inputs]
    f(*leaves).backward()
    places = tuple(range(len(inputs)))
    value, pull = tg.vjp(f, *inputs)
    ways = [
        tg.grad(f, places)(*inputs),
        tg.jacobian(f, places)(*inputs),
        pull(np.ones_like(value)),
        tg.grad(tg.checkpoint(f), places)(*inputs),
        [g.data for g in tg.grad(f, places)(*[Tensor(a) for a in inputs])],
    ]
    expected = [np.zeros_like(leaf.data) if leaf.grad is None else leaf.grad for leaf in leaves]
    for found in ways:
        assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))
