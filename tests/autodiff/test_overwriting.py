"""Writes in place between recording and backward are refused by name, however they reach the memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from twingrad import AutodiffError, Tensor, no_grad, xp
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


@pytest.mark.parametrize("recorded", ["target", "value"])
def test_a_write_on_the_tape_is_refused(recorded: str) -> None:
    target = leaf() if recorded == "target" else Tensor(np.ones(3))
    value: Any = leaf() if recorded == "value" else 1.0
    with pytest.raises(AutodiffError, match=r"in-place write.*no_grad"):
        target[...] = value
    with no_grad():
        target[...] = value


def test_a_write_off_the_tape() -> None:
    t = Tensor(np.zeros((2, 2)))
    t[0] = Tensor(np.asarray([1.0, 2.0]))
    t[Tensor(np.asarray(1)), 0] = 3.0
    assert np.array_equal(t.data, [[1.0, 2.0], [3.0, 0.0]])
    assert t.version == 2
