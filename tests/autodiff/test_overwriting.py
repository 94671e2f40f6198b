"""Writes in place between recording and backward are refused by name, however they reach the memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from twingrad import AutodiffError, Tensor, grad, no_grad, xp
from twingrad import functional as F

WRITES: dict[str, Callable[[Tensor], None]] = {
    "element": lambda t: t.__setitem__(0, 9.0),
    "everything": lambda t: t.__setitem__(..., 9.0),
    "through a slice": lambda t: t[1:].__setitem__(..., 9.0),
    "through a reshape": lambda t: t.reshape(3, 1).__setitem__(..., 9.0),
    "through two views": lambda t: xp.flip(t[1:]).__setitem__(0, 9.0),
    "through detach": lambda t: t.detach().__setitem__(0, 9.0),
    "by gradient descent": lambda t: F.sgd_update(t, np.ones(3), lr=0.1),
    "by adam": lambda t: F.adam_update(t, np.ones(3), np.zeros(3), np.zeros(3), step=1),
    "by adamw": lambda t: F.adamw_update(t, np.ones(3), np.zeros(3), np.zeros(3), step=1),
}


def leaf() -> Tensor:
    return Tensor(np.asarray([1.0, 2.0, 3.0]), requires_grad=True)


@pytest.mark.parametrize("label", WRITES)
def test_an_overwritten_input_is_refused(label: str) -> None:
    x = leaf()
    loss = (x * x).sum()
    with no_grad():
        WRITES[label](x)
    with pytest.raises(AutodiffError, match=r"input 0 of multiply, of shape \(3,\), was overwritten"):
        loss.backward()
    assert x.grad is None


@pytest.mark.parametrize("label", WRITES)
def test_an_overwritten_result_is_refused(label: str) -> None:
    x = leaf()
    out = xp.exp(x)
    with no_grad():
        WRITES[label](out)
    with pytest.raises(AutodiffError, match="result of exp was overwritten"):
        out.sum().backward()


@pytest.mark.parametrize("label", WRITES)
def test_a_write_before_recording_is_fine(label: str) -> None:
    x = leaf()
    with no_grad():
        WRITES[label](x)
    (x * x).sum().backward()
    assert np.array_equal(x.grad, 2 * x.data)


def test_a_write_to_one_tensor_leaves_others_alone() -> None:
    x, y = leaf(), leaf()
    loss = (x * x).sum()
    with no_grad():
        y[...] = 0.0
        (x * 1.0)[...] = 0.0
    loss.backward()
    assert np.array_equal(x.grad, 2 * x.data)


def test_a_fused_operation_refuses_too() -> None:
    x, weight = Tensor(np.ones((2, 3)), requires_grad=True), Tensor(np.ones((4, 3)), requires_grad=True)
    loss = F.linear(x, weight).sum()
    with no_grad():
        weight[0, 0] = 5.0
    with pytest.raises(AutodiffError, match="overwritten in place"):
        loss.backward()


def test_a_gradient_of_a_gradient_refuses_too() -> None:
    from twingrad.autodiff import gradients

    x = leaf()
    loss = (x * x * x).sum()
    with no_grad():
        x[0] = 9.0
    with pytest.raises(AutodiffError, match="overwritten in place"):
        gradients(loss, [x])


def test_a_write_of_a_recorded_tensor_is_recorded() -> None:
    value, out = leaf(), Tensor(np.zeros((2, 3)))
    out[0] = value * 2.0
    out[:, 1:] = value[:2]
    (out * out).sum().backward()
    assert np.array_equal(out.data, [[2 * value.data[0], *value.data[:2]], [0.0, *value.data[:2]]])
    assert np.array_equal(value.grad, [12 * value.data[0], 4 * value.data[1], 0.0])


def test_a_write_to_a_recorded_tensor_is_recorded() -> None:
    x = leaf()
    y = x * 3.0
    y[Tensor(np.asarray([True, False, False]))] = 7.0
    assert np.array_equal(y.data, [7.0, *(3.0 * x.data[1:])])
    y.sum().backward()
    assert np.array_equal(x.grad, [0.0, 3.0, 3.0])


def test_what_was_recorded_before_a_recorded_write_keeps_the_old_values() -> None:
    x = leaf()
    y = x * 3.0
    early = y * y
    y[0] = y[0] * y[1]
    y[1:] *= 2.0
    (early.sum() + y.sum()).backward()
    a, b, c = x.data
    assert np.array_equal(early.data, 9 * x.data**2)
    assert np.array_equal(y.data, [9 * a * b, 6 * b, 6 * c])
    assert np.allclose(x.grad, [18 * a + 9 * b, 18 * b + 9 * a + 6, 18 * c + 6], rtol=1e-15)


def test_elements_one_after_another() -> None:
    def powers(x: Any) -> Any:
        out = xp.ones((4,))
        for i in range(1, 4):
            out[i] = out[i - 1] * x
        return xp.sum(out)

    assert grad(powers)(2.0) == 1 + 2 * 2 + 3 * 4
    assert grad(grad(powers))(2.0) == 2 + 6 * 2


def test_an_unrecorded_write_after_a_recorded_one_is_seen() -> None:
    y = leaf() * 3.0
    y[0] = 7.0
    loss = (y * y).sum()
    with no_grad():
        y[1] = 5.0
    with pytest.raises(AutodiffError, match="overwritten in place"):
        loss.backward()


def test_a_write_to_an_argument_is_refused() -> None:
    def f(x: Any) -> Any:
        x[0] = 0.0
        return xp.sum(x)

    for given in (np.ones(3), leaf() * 1.0):
        with pytest.raises(AutodiffError, match=r"in-place write on the tape to (a leaf|an argument)"):
            grad(f)(given)


def test_a_write_of_an_integer_leaves_the_tape() -> None:
    t = Tensor(np.zeros(3, np.int64))
    t[...] = leaf()
    assert not t.requires_grad


def refused_writes() -> dict[str, Any]:
    base = Tensor(np.zeros((2, 3)))
    return {
        "a leaf": (leaf(), 0, 1.0, "leaf.*no_grad"),
        "a view": (base[0], ..., leaf(), "view"),
        "integer arrays": (leaf() * 2.0, np.asarray([0, 0]), 1.0, "integer arrays"),
    }


@pytest.mark.parametrize("label", refused_writes())
def test_a_write_on_the_tape_is_refused_to(label: str) -> None:
    target, key, value, words = refused_writes()[label]
    before = target.data.copy()
    with pytest.raises(AutodiffError, match=words):
        target[key] = value
    assert np.array_equal(target.data, before)
    with no_grad():
        target[key] = value


def test_a_write_off_the_tape() -> None:
    t = Tensor(np.zeros((2, 2)))
    t[0] = Tensor(np.asarray([1.0, 2.0]))
    t[Tensor(np.asarray(1)), 0] = 3.0
    assert np.array_equal(t.data, [[1.0, 2.0], [3.0, 0.0]])
    assert t.version == 2
