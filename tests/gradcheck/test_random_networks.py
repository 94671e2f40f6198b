"""Random networks, data, losses and states of training: no right gradient is doubted, each wrong one is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import twingrad as tg
from twingrad import functional as F
from twingrad import nn, optim
from twingrad.gradcheck import check
from twingrad.gradcheck.modules import OfModule
from twingrad.train import dense

LOSSES = (F.softmax_cross_entropy, F.binary_cross_entropy, F.mean_squared_error, F.mean_absolute_error)


def drawn(seed: int, scale: float) -> tuple[nn.Module, Callable[..., Any], Any, Any]:
    """A network, trained or not, its loss and a batch."""
    rng = np.random.default_rng(seed)
    n, inputs, outputs = (int(rng.integers(low, high)) for low, high in ((2, 40), (1, 20), (2, 8)))
    model = dense(
        inputs,
        outputs,
        hidden=rng.integers(1, 30, rng.integers(0, 4)).tolist(),
        activation=str(rng.choice(["relu", "leaky-relu", "sigmoid", "tanh"])),
        dropout=float(rng.choice([0.0, 0.3, 0.5])),
        batch_norm=bool(rng.integers(2)),
        seed=seed,
    )
    loss, x = LOSSES[rng.integers(4)], np.asarray(scale * rng.normal(size=(n, inputs)), np.float32)
    y = rng.integers(0, outputs, n) if loss is LOSSES[0] else rng.integers(0, 2, (n, outputs)).astype(np.float32)
    optimizer = optim.Adam(model, lr=0.01)
    for _ in range(int(rng.choice([0, 0, 50]))):
        value = loss(model(x), y)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    return model, loss, x, y


@pytest.mark.parametrize("scale", [0.01, 1.0, 1000.0])
@pytest.mark.parametrize("seed", range(10))
def test_no_right_gradient_is_doubted(seed: int, scale: float) -> None:
    report = tg.check_grads(*drawn(seed, scale), weight_decay=0.01 * (seed % 2), limit=(20, 1000)[seed % 3 > 0])
    assert report.ok, report


@pytest.mark.parametrize("limit", [20, 1000])
@pytest.mark.parametrize("seed", range(10))
def test_one_wrong_gradient_is_named(monkeypatch: pytest.MonkeyPatch, seed: int, limit: int) -> None:
    """The largest element of the last weight is half as large again: of any parameter, with elements or directions."""

    class Planted(OfModule):
        def gradient(self) -> list[Any]:
            found = super().gradient()
            wrong = found[-2].copy()
            wrong[np.argmax(abs(wrong))] *= 1.5
            return [*found[:-2], wrong, found[-1]]

    monkeypatch.setattr(check, "OfModule", Planted)
    report = tg.check_grads(*drawn(seed, 1.0), limit=limit)
    assert report.wrong == (report.parameters[-2].name,), report
