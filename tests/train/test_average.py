"""`fit` with an optimizer that averages the weights or is given a scaled loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import twingrad as tg
from twingrad import nn, optim
from twingrad.train import evaluate, fit


def run(seed: int = 0, epochs: int = 3, keep: str = "last", **options: Any) -> tuple[nn.Module, Any, Any, Any]:
    """A short run on the digits: its model, optimizer, history and data."""
    data = tg.data.load("digits").split(seed=0)
    model = nn.Sequential(nn.Linear(64, 16), nn.BatchNorm(16), nn.ReLU(), nn.Linear(16, 10), seed=seed)
    optimizer = optim.Adam(lr=0.02, **options)
    history = fit(model, data, optimizer=optimizer, epochs=epochs, device="cpu", keep=keep)
    return model, optimizer, history, data


@pytest.mark.parametrize("keep", ["best", "last"])
def test_the_average_is_measured_and_kept(keep: str) -> None:
    model, optimizer, history, data = run(keep=keep, ema=0.99)
    plain, _, others, _ = run(keep=keep)
    found = evaluate(model, data.dev)
    kept = history.best if keep == "best" else history[-1]
    assert (found.loss, found.accuracy) == (kept.dev_loss, kept.dev_accuracy)
    assert [record.dev_loss for record in history] != [record.dev_loss for record in others]
    weight, offset = model[0].weight, int(model.flat().segments[model[0].weight.segment, 0])
    average = optimizer.state["average"][offset : offset + weight.size].reshape(weight.shape)
    assert np.array_equal(weight.data, average) or keep == "best"
    assert not np.array_equal(weight.data, plain[0].weight.data)


def test_an_average_that_forgets_at_once_is_the_weights() -> None:
    one, two = run(ema=0.0), run()
    assert [record.dev_loss for record in one[2]] == [record.dev_loss for record in two[2]]
    for path, array in one[0].state_dict().items():
        assert np.array_equal(array, two[0].state_dict()[path]), path


@pytest.mark.parametrize("accumulate", [1, 3])
def test_the_loss_is_scaled_by_what_the_optimizer_undoes(accumulate: int) -> None:
    states = []
    for scale in (1.0, 2.0**15):
        data = tg.data.load("digits").split(seed=0)
        model = nn.Sequential(nn.Linear(64, 10), seed=0)
        optimizer = optim.SGD(lr=0.1, loss_scale=scale, clip_norm=0.5)
        history = fit(model, data, optimizer=optimizer, epochs=2, device="cpu", accumulate=accumulate)
        states.append(model.state_dict() | {"norm": np.asarray(optimizer.grad_norm)})
        assert history.step == "captured"
    for path, array in states[0].items():
        np.testing.assert_allclose(states[1][path], array, rtol=1e-5, atol=1e-7, err_msg=path)
