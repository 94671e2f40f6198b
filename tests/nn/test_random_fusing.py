"""Random networks, batches, dtypes and thread counts: fused, captured and layer by layer leave the same bits, PyTorch
and the reference path nearly the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import twingrad as tg
from twingrad import functional as F
from twingrad import nn
from twingrad.kernels import cpu

import networks
from kernels_here import no_kernels

pytestmark = pytest.mark.skipif(no_kernels() is not None, reason=str(no_kernels()))

FEW = range(40)
MANY = pytest.param(range(40, 500), marks=pytest.mark.slow, id="many")
WIDTHS = (1, 2, 7, 16, 31, 32, 33, 64, 65, 100, 128, 130, 192, 256, 300)
ROWS = (1, 2, 3, 16, 33, 64, 65, 128, 200, 600, 2100)
SLOPES = (0.01, 0.0, 0.2, 1.5, -0.1)
LOSSES = (F.mean_squared_error, F.mean_absolute_error, F.binary_cross_entropy)


class Apart(nn.Sequential):
    """The oracle: layer by layer."""

    def forward(self, x: Any) -> Any:
        for layer in self:
            x = layer(x)
        return x


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = cpu.threads()
    yield
    cpu.set_threads(before)


def affine(rng: np.random.Generator, width: int) -> nn.Linear:
    return nn.Linear(width, int(rng.choice(WIDTHS)), bool(rng.random() < 0.7))


def built(kind: type[nn.Sequential], rng: np.random.Generator, width: int, shared: nn.Module, depth: int = 0) -> Any:
    """A network of random layers for `width` columns, some within another and one in several places."""
    make: dict[str, Callable[[], nn.Module]] = {
        "L": lambda: affine(rng, width),
        "B": lambda: nn.BatchNorm(width, momentum=float(rng.choice([0.0, 0.1, 1.0]))),
        "N": lambda: nn.LayerNorm(width),
        "r": nn.ReLU,
        "l": lambda: nn.LeakyReLU(float(rng.choice(SLOPES))),
        "s": nn.Sigmoid,
        "t": nn.Tanh,
        "m": nn.Softmax,
        "d": lambda: nn.Dropout(float(rng.choice([0.0, 0.1, 0.5, 0.9]))),
        "R": lambda: shared,
        "S": lambda: built(kind, rng, width, shared, depth + 1),
    }
    layers = []
    for letter in rng.choice(list("LLLBBrrrlstddNRm" + "S" * (depth < 2)), rng.integers(1, 8)):
        layers.append(make[letter]())
        width = width_after(layers[-1], width)
    return kind(*layers, seed=int(rng.integers(100)))


def width_after(layer: nn.Module, width: int) -> int:
    if isinstance(layer, nn.Sequential):
        for child in layer:
            width = width_after(child, width)
    return layer.out_features if isinstance(layer, nn.Linear) else width


def some_frozen_some_in_other_modes(model: nn.Module, rng: np.random.Generator, rows: int) -> None:
    parameters = model.parameters()
    for parameter in parameters[:-1]:
        parameter.requires_grad = bool(rng.random() < 0.85)
    model.train(rows > 1 and bool(rng.random() < 0.8))
    for _, layer in model.modules():
        if rows > 1 and isinstance(layer, nn.BatchNorm | nn.Dropout) and rng.random() < 0.2:
            layer.training = not layer.training


def trained(seed: int, kind: type[nn.Sequential], wrap: Any = lambda step: step, mode: str = "auto") -> dict[str, Any]:
    """What a few steps leave of the network with this number."""
    rng = np.random.default_rng(seed)
    dtype, rows, width = rng.choice([np.float32, np.float64]), int(rng.choice(ROWS)), int(rng.choice(WIDTHS))
    body, outputs = built(kind, rng, width, nn.ReLU()), int(rng.integers(1, 6))
    model = kind(body, nn.Linear(width_after(body, width), outputs)).to(dtype=dtype)
    some_frozen_some_in_other_modes(model, rng, rows)
    name, loss, reduction = (rng.choice(list(of)) for of in (networks.OPTIMIZERS, range(3), ("mean", "sum")))
    optimizer, found = networks.OPTIMIZERS[name](model, lr=0.001), {}

    def step(x: Any, target: Any) -> Any:
        out = model(x)
        value = LOSSES[loss](out, target, reduction=str(reduction))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        return value, out

    step = wrap(step)
    with tg.fused(mode):
        for i in range(3):
            x, target = rng.standard_normal((rows, width)), rng.random((rows, outputs))
            results = step(x.astype(dtype), target.astype(dtype))
            found |= {f"{part} {i}": t.numpy().copy() for part, t in zip(("loss", "out"), results, strict=True)}
    return found | networks.everything(model, optimizer)


@pytest.mark.parametrize("seeds", [pytest.param(FEW, id="few"), MANY])
def test_fused_and_captured_leave_the_bits_of_layer_by_layer(seeds: range) -> None:
    for seed in seeds:
        cpu.set_threads(1)
        want = trained(seed, Apart)
        cpu.set_threads(1 + seed % 3)
        for wrap in (lambda step: step, tg.capture):
            networks.assert_same_bits(trained(seed, nn.Sequential, wrap), want)
        reference = trained(seed, nn.Sequential, mode="never")
        networks.assert_same_bits(reference, trained(seed, Apart, mode="never"))
        bound = 1e-9 if want["out 0"].dtype == np.float64 else 3e-3
        np.testing.assert_allclose(reference["out 0"], want["out 0"], bound, bound, err_msg=str(seed))


PAIRS: dict[str, tuple[str, str]] = {"r": ("ReLU", "ReLU"), "s": ("Sigmoid", "Sigmoid"), "t": ("Tanh", "Tanh")}


def pair(torch: Any, letter: str, width: int, rng: np.random.Generator) -> tuple[nn.Module, Any]:
    """A layer, and PyTorch's."""
    if letter == "L":
        layer = affine(rng, width)
        return layer, torch.nn.Linear(width, layer.out_features, bias=layer.bias is not None)
    if letter == "B":
        return nn.BatchNorm(width), torch.nn.BatchNorm1d(width)
    if letter == "l":
        slope = float(rng.choice(SLOPES))
        return nn.LeakyReLU(slope), torch.nn.LeakyReLU(slope)
    ours, theirs = PAIRS[letter]
    return getattr(nn, ours)(), getattr(torch.nn, theirs)()


@pytest.mark.parametrize("seeds", [pytest.param(FEW, id="few"), MANY])
def test_pytorch(seeds: range) -> None:
    torch = pytest.importorskip("torch")
    for seed in seeds:
        rng = np.random.default_rng(seed)
        cpu.set_threads(1 + seed % 3)
        rows, width = int(rng.choice(ROWS[1:])), int(rng.choice(WIDTHS))
        layers: list[nn.Module] = [nn.Linear(width, width)]
        inputs, theirs = width, [torch.nn.Linear(width, width)]
        for letter in rng.choice(list("LLLBBrrlst"), rng.integers(1, 8)):
            layer, other = pair(torch, letter, width, rng)
            layers, theirs, width = [*layers, layer], [*theirs, other], width_after(layer, width)
        model, peer = nn.Sequential(*layers, seed=seed).to(dtype=np.float64), torch.nn.Sequential(*theirs).double()
        peer.load_state_dict({name: torch.tensor(value) for name, value in model.state_dict().items()})
        x, target = rng.standard_normal((rows, inputs)), rng.standard_normal((rows, width))
        F.mean_squared_error(model(x), target).backward()
        ((peer(torch.tensor(x)) - torch.tensor(target)) ** 2).mean().backward()
        gradients = dict(zip(model.named_parameters(), [p.grad for p in peer.parameters()], strict=True))
        for name, parameter in model.named_parameters().items():
            np.testing.assert_allclose(parameter.grad, gradients[name].numpy(), 1e-7, 1e-9, err_msg=f"{seed} {name}")
