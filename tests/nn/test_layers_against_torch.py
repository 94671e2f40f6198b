"""The layers of the course against PyTorch's: the same names and shapes of state, results and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import twingrad as tg
from twingrad import nn

from numerics import relative_error

pytestmark = pytest.mark.oracle

N, C, V = 11, 6, 9
LAYERS = {
    "leaky relu": (lambda t: nn.LeakyReLU(), lambda torch: torch.nn.LeakyReLU()),
    "leaky relu 0.3": (lambda t: nn.LeakyReLU(0.3), lambda torch: torch.nn.LeakyReLU(0.3)),
    "relu": (lambda t: nn.ReLU(), lambda torch: torch.nn.ReLU()),
    "sigmoid": (lambda t: nn.Sigmoid(), lambda torch: torch.nn.Sigmoid()),
    "tanh": (lambda t: nn.Tanh(), lambda torch: torch.nn.Tanh()),
    "softmax": (lambda t: nn.Softmax(), lambda torch: torch.nn.Softmax(dim=-1)),
    "layer norm": (lambda t: nn.LayerNorm(C, dtype=t), lambda torch: torch.nn.LayerNorm(C)),
    "layer norm, eps": (lambda t: nn.LayerNorm(C, eps=0.1, dtype=t), lambda torch: torch.nn.LayerNorm(C, eps=0.1)),
    "embedding": (lambda t: nn.Embedding(V, C, dtype=t), lambda torch: torch.nn.Embedding(V, C)),
}
BOUNDS = {"float32": 1e-6, "float64": 2e-15}


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch", reason="PyTorch is the oracle of layers; it comes with the extra `oracle`")


def inputs(name: str, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    rng = np.random.default_rng(2)
    if name == "embedding":
        return rng.integers(0, V, shape)
    x = rng.normal(0.0, 3.0, (*shape, C)).astype(dtype)
    x[..., 0] = 0.0
    return x


def randomise(layer: nn.Module) -> None:
    rng = np.random.default_rng(3)
    for parameter in layer.parameters():
        parameter.assign(rng.normal(size=parameter.shape).astype(parameter.dtype))


@pytest.mark.parametrize("mode", ["auto", "never"])
@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("shape", [(N,), (2, 3), ()], ids=str)
@pytest.mark.parametrize("name", LAYERS)
def test_values_and_gradients(torch: Any, name: str, shape: tuple[int, ...], dtype: str, mode: str) -> None:
    make, their_make = LAYERS[name]
    layer, module = make(dtype), their_make(torch).to(getattr(torch, dtype))
    randomise(layer)
    module.load_state_dict({key: torch.from_numpy(value) for key, value in layer.state_dict().items()})
    x = inputs(name, shape, dtype)
    ours = tg.Tensor(x, requires_grad=x.dtype.kind == "f")
    theirs = torch.tensor(x, requires_grad=x.dtype.kind == "f")
    with tg.fused(mode):
        out, expected = layer(ours), module(theirs)
        assert relative_error(out.numpy(), expected.detach().numpy()) <= BOUNDS[dtype]
        seed = np.random.default_rng(4).normal(size=out.shape).astype(dtype)
        out.backward(seed)
    expected.backward(torch.tensor(seed))
    if x.dtype.kind == "f":
        assert relative_error(ours.grad, theirs.grad.numpy()) <= 4 * BOUNDS[dtype]
    for key, parameter in layer.named_parameters().items():
        assert relative_error(parameter.grad, dict(module.named_parameters())[key].grad.numpy()) <= 4 * BOUNDS[dtype]
        assert parameter.dtype == dtype


def test_other_axes_of_softmax(torch: Any) -> None:
    x = np.random.default_rng(0).normal(size=(3, 4, 5))
    for axis in (0, 1, -2):
        expected = torch.softmax(torch.tensor(x), dim=axis).numpy()
        assert relative_error(nn.Softmax(axis=axis)(x), expected) <= 1e-15
