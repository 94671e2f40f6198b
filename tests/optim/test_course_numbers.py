"""The course's worked numbers: momentum in two forms, RMSprop in three, Adam in two; each by optimizer and function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import twingrad as tg
from twingrad import functional as F
from twingrad import nn, optim

from kernels_here import no_kernels

GRADIENTS = (0.1, 0.2, -0.3)
ROWS: dict[str, tuple[Callable[..., optim.Optimizer], tuple[float, ...], list[float]]] = {
    "momentum of the course": (
        lambda m: optim.SGD(m, lr=0.1, momentum=0.9, form="course"),
        GRADIENTS,
        [0.999, 0.9961, 0.99649],
    ),
    "momentum of PyTorch": (lambda m: optim.SGD(m, lr=0.01, momentum=0.9), GRADIENTS, [0.999, 0.9961, 0.99649]),
    "beta of 0": (lambda m: optim.SGD(m, lr=0.1, form="course"), GRADIENTS, [0.99, 0.97, 1.0]),
    "momentum, corrected": (
        lambda m: optim.SGD(m, lr=0.1, momentum=0.9, form="course", bias_correction=True),
        GRADIENTS,
        [0.99, 0.99 - 0.1 * 0.029 / 0.19, 0.99 - 0.1 * 0.029 / 0.19 + 0.1 * 0.0039 / 0.271],
    ),
    "adam outside": (
        lambda m: optim.Adam(m, lr=0.1),
        GRADIENTS,
        [0.900000009999999, 0.803481813521253, 0.81014171477095],
    ),
    "adam inside": (
        lambda m: optim.Adam(m, lr=0.1, eps_form="inside"),
        GRADIENTS,
        [0.9000000499999625, 0.803481866715628, 0.810141767560378],
    ),
    "rmsprop without eps": (lambda m: optim.RMSprop(m, lr=0.01, alpha=0.9, eps=0.0), (0.5,), [0.9683772233983162]),
    "rmsprop outside": (lambda m: optim.RMSprop(m, lr=0.01, alpha=0.9), (0.5,), [0.968377225398316]),
    "rmsprop inside": (
        lambda m: optim.RMSprop(m, lr=0.01, alpha=0.9, eps_form="inside"),
        (0.5,),
        [0.9683772297228697],
    ),
    "rmsprop, corrected": (
        lambda m: optim.RMSprop(m, lr=0.01, alpha=0.9, eps=0.0, bias_correction=True),
        (0.5, 0.5),
        [0.99, 0.98],
    ),
    "weight decay": (lambda m: optim.SGD(m, lr=0.1, weight_decay=0.05), (0.3,), [1 - 0.1 * 0.35]),
}


@pytest.fixture(params=["never", "require"])
def path(request: pytest.FixtureRequest) -> Any:
    if request.param == "require" and no_kernels():
        pytest.skip(f"the fused path cannot run: {no_kernels()}")
    with tg.fused(request.param):
        yield request.param


class One(nn.Module):
    """One weight, 1."""

    def __init__(self) -> None:
        self.w = nn.Parameter(np.ones((1, 1)))


@pytest.mark.parametrize("name", ROWS)
def test_worked_numbers(name: str, path: str) -> None:
    make, gradients, expected = ROWS[name]
    model = One()
    optimizer = make(model)
    found = []
    for gradient in gradients:
        model.w.grad = np.asarray([[gradient]])
        optimizer.step()
        found.append(float(model.w.numpy()[0, 0]))
    assert found == pytest.approx(expected, rel=2e-15)


def test_the_moments_of_adam_stay_uncorrected(path: str) -> None:
    model = One()
    optimizer = optim.Adam(model, lr=0.1)
    for gradient in GRADIENTS:
        model.w.grad = np.asarray([[gradient]])
        optimizer.step()
    assert float(optimizer.state["m"][0]) == pytest.approx(-0.0039, rel=1e-12)
    assert float(optimizer.state["v"][0]) == pytest.approx(1.3994001e-4, rel=1e-9)


@pytest.mark.parametrize("gradient", [1e-3, 1e-4, 1e-6])
def test_the_first_step_of_adam_by_the_form_of_eps(gradient: float, path: str) -> None:
    expected = {1e-3: (0.99999, 0.995), 1e-4: (0.9999, 0.707), 1e-6: (0.990, 0.01)}[gradient]
    for form, share in zip(("outside", "inside"), expected, strict=True):
        w, m, v = np.zeros(1), np.zeros(1), np.zeros(1)
        F.adam_update(w, np.asarray([gradient]), m, v, step=1, lr=1.0, eps_form=form)
        assert -w[0] == pytest.approx(share, rel=1e-3)


def test_functions_do_as_the_optimizers(path: str) -> None:
    calls: dict[str, Callable[..., None]] = {
        "momentum of the course": lambda w, g, s, t: F.momentum_update(w, g, s, step=t, lr=0.1, form="course"),
        "momentum of PyTorch": lambda w, g, s, t: F.momentum_update(w, g, s, step=t, lr=0.01),
        "rmsprop outside": lambda w, g, s, t: F.rmsprop_update(w, g, s, step=t, lr=0.01, alpha=0.9),
        "rmsprop inside": lambda w, g, s, t: F.rmsprop_update(w, g, s, step=t, lr=0.01, alpha=0.9, eps_form="inside"),
    }
    for name, call in calls.items():
        _, gradients, expected = ROWS[name]
        w, state = np.ones(1), np.zeros(1)
        for t, gradient in enumerate(gradients, start=1):
            call(w, np.asarray([gradient]), state, t)
        assert w[0] == pytest.approx(expected[-1], rel=2e-15)


BAD = [
    (lambda w: F.momentum_update(w, w, w, step=0, lr=0.1), "momentum counts its steps from 1.*got step 0"),
    (lambda w: F.momentum_update(w, w, w, step=1, lr=0.1, form="x"), "form of momentum is one of pytorch, course"),
    (lambda w: F.momentum_update(w, w, np.ones(3), step=1, lr=0.1), r"momentum: m has shape \(3,\)"),
    (lambda w: F.rmsprop_update(w, w, w, step=0), "RMSprop counts its steps from 1"),
    (lambda w: F.rmsprop_update(w, w, np.ones(3), step=1), r"rmsprop: v has shape \(3,\)"),
    (lambda w: F.adam_update(w, w, w, w, step=1, eps_form="hat"), "eps_form is 'outside' or 'inside' the root, got"),
    (
        lambda w: F.clip_segments(w, np.ones((1, 2), int), np.ones((1, 9)), np.ones(1), max_norm=0.0),
        r"max_norm must be positive, got 0\.0",
    ),
    (
        lambda w: F.clip_segments(w, np.ones((1, 2), int), np.ones((2, 9)), np.ones(1), max_norm=1.0),
        r"segments \(S, 2\) and control \(S, columns\)",
    ),
    (
        lambda w: F.clip_segments(w, np.ones((1, 2), int), np.ones((1, 3)), np.ones(1), max_norm=1.0),
        "control of a rule",
    ),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_input(call: Any, message: str, path: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(np.ones(2))
