"""Every layer and loss in a captured training step: the same bits as plain steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import twingrad as tg
from twingrad import functional as F
from twingrad import nn, optim

from kernels_here import no_kernels
from networks import assert_same_bits, everything

pytestmark = pytest.mark.skipif(no_kernels() is not None, reason=f"captures need kernels: {no_kernels()}")
N, IN, OUT, STEPS = 12, 6, 4, 4
DTYPES = ("float32", "float64")


def soft(rng: Any, dtype: str) -> np.ndarray:
    return rng.dirichlet(np.ones(OUT), N).astype(dtype)


def weights(rng: Any, dtype: str) -> np.ndarray:
    return (rng.random(N) + 0.1).astype(dtype)


def labels(rng: Any, dtype: str) -> np.ndarray:
    found = rng.integers(0, 2, (N, OUT)).astype(dtype)
    found[rng.random(found.shape) < 0.3] = np.nan
    return found


LOSSES: dict[str, tuple[Callable[..., Any], Callable[[Any, str], tuple[Any, ...]]]] = {
    "classes": (F.softmax_cross_entropy, lambda rng, t: (rng.integers(0, OUT, N),)),
    "weighted classes": (
        lambda z, y, c, e: F.softmax_cross_entropy(z, y, c, e),
        lambda rng, t: (rng.integers(0, OUT, N), np.linspace(0.5, 2.0, OUT).astype(t), weights(rng, t)),
    ),
    "soft": (lambda z, y, e: F.softmax_cross_entropy(z, y, example_weight=e), lambda r, t: (soft(r, t), weights(r, t))),
    "binary": (F.binary_cross_entropy, lambda rng, t: (rng.integers(0, 2, (N, OUT)),)),
    "missing": (F.binary_cross_entropy, lambda rng, t: (labels(rng, t),)),
    "masked": (
        lambda z, y, e, mask: F.binary_cross_entropy(z, y, example_weight=e, mask=mask),
        lambda rng, t: (rng.integers(0, 2, (N, OUT)), weights(rng, t), rng.random((N, OUT)) < 0.6),
    ),
    "squared": (F.mean_squared_error, lambda rng, t: (soft(rng, t),)),
    "absolute, weighted": (
        lambda x, y, e: F.mean_absolute_error(x, y, example_weight=e),
        lambda rng, t: (soft(rng, t), weights(rng, t)),
    ),
}
"""The loss of an output and some arrays, and what draws these for a step."""


def trained(model: nn.Module, loss: Callable[..., Any], draw: Callable[[int], Any], wrap: Any) -> dict[str, Any]:
    """All that STEPS steps leave, their losses among it."""
    optimizer = optim.Adam(model, lr=0.01)

    def step(x: Any, *targets: Any) -> Any:
        found = loss(model(x), *targets)
        optimizer.zero_grad()
        found.backward()
        optimizer.step()
        return found

    run = wrap(step)
    losses = [run(*draw(number)).numpy().copy() for number in range(STEPS)]
    return {"losses": np.asarray(losses), **everything(model, optimizer)}


def compare(make: Callable[[], nn.Module], loss: Callable[..., Any], draw: Callable[[int], Any]) -> None:
    plain, captured = (trained(make(), loss, draw, wrap) for wrap in (lambda step: step, tg.capture))
    assert np.isfinite(plain["losses"]).all()
    assert len(set(plain["losses"].tolist())) == STEPS
    assert_same_bits(captured, plain)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LOSSES)
def test_losses(name: str, dtype: str) -> None:
    loss, targets = LOSSES[name]

    def draw(number: int) -> Any:
        rng = np.random.default_rng(number)
        return rng.normal(size=(N, IN)).astype(dtype), *targets(rng, dtype)

    with tg.fused("require"):
        compare(lambda: nn.Linear(IN, OUT, dtype=dtype), loss, draw)


LAYERS: dict[str, Callable[[str], nn.Module]] = {
    "ReLU": lambda dtype: nn.ReLU(),
    "LeakyReLU": lambda dtype: nn.LeakyReLU(0.2),
    "Sigmoid": lambda dtype: nn.Sigmoid(),
    "Tanh": lambda dtype: nn.Tanh(),
    "Softmax": lambda dtype: nn.Softmax(),
    "LayerNorm": lambda dtype: nn.LayerNorm(IN, dtype=dtype),
    "BatchNorm": lambda dtype: nn.BatchNorm(IN, dtype=dtype),
    "Dropout": lambda dtype: nn.Dropout(0.3),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str, dtype: str) -> None:
    def make() -> nn.Module:
        return nn.Sequential(nn.Linear(IN, IN, dtype=dtype), LAYERS[name](dtype), nn.Linear(IN, OUT, dtype=dtype))

    def draw(number: int) -> Any:
        rng = np.random.default_rng(number)
        return rng.normal(size=(N, IN)).astype(dtype), rng.integers(0, OUT, N)

    with tg.fused("require"):
        compare(make, F.softmax_cross_entropy, draw)


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_embedding(dtype: str) -> None:
    def draw(number: int) -> Any:
        rng = np.random.default_rng(number)
        return rng.integers(0, 5, N), rng.integers(0, OUT, N)

    with tg.fused("require"):
        compare(lambda: nn.Embedding(5, OUT, dtype=dtype), F.softmax_cross_entropy, draw)
