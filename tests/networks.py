"""The networks, batches and comparisons that tests of layers, optimizers and captured steps share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from twingrad import functional as F
from twingrad import nn, optim

IN, HIDDEN, OUT = 5, 7, 3
"""Odd widths, so that no segment is a whole number of cache lines."""

COURSE: dict[str, Any] = {"form": "course", "bias_correction": True, "weight_decay": 0.01, "decoupled": True}
CENTERED: dict[str, Any] = {"centered": True, "clip_norm": 1.0}

OPTIMIZERS: dict[str, Callable[..., optim.Optimizer]] = {
    "sgd": lambda model=None, **k: optim.SGD(model, **{"lr": 0.1, "weight_decay": 0.01} | k),
    "momentum": lambda model=None, **k: optim.SGD(model, **{"lr": 0.1, "momentum": 0.9, "nesterov": True} | k),
    "course momentum": lambda model=None, **k: optim.SGD(model, **{"lr": 0.1, "momentum": 0.9, **COURSE} | k),
    "rmsprop": lambda model=None, **k: optim.RMSprop(model, **{"lr": 0.01, "weight_decay": 0.01} | k),
    "centered rmsprop": lambda model=None, **k: optim.RMSprop(model, **{"lr": 0.01, "momentum": 0.5, **CENTERED} | k),
    "clipped": lambda model=None, **k: optim.AdamW(model, **{"lr": 0.01, "clip_norm": 0.5, "clip_value": 0.1} | k),
    "sparse": lambda model=None, **k: optim.Adam(model, **{"lr": 0.01, "l1": 0.05, "eps_form": "inside"} | k),
    "adam": lambda model=None, **k: optim.Adam(model, **{"lr": 0.01, "weight_decay": 0.01} | k),
    "adamw": lambda model=None, **k: optim.AdamW(model, **{"lr": 0.01, "weight_decay": 0.1} | k),
}


def network(dtype: Any = np.float32, *, p: float = 0.25, seed: int = 0) -> nn.Sequential:
    """Every layer that there is: Linear, BatchNorm, ReLU, Dropout, Linear."""
    return nn.Sequential(
        nn.Linear(IN, HIDDEN, dtype=dtype),
        nn.BatchNorm(HIDDEN, dtype=dtype),
        nn.ReLU(),
        nn.Dropout(p),
        nn.Linear(HIDDEN, OUT, dtype=dtype),
        seed=seed,
    )


def batch(n: int = 16, dtype: Any = np.float32, *, seed: int = 0) -> tuple[Any, Any]:
    """Examples (n, IN) and labels (n,)."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, IN)).astype(dtype), rng.integers(0, OUT, n)


def stepper(model: nn.Module, optimizer: optim.Optimizer) -> Callable[[Any, Any], Any]:
    """A training step that returns its loss."""

    def step(x: Any, y: Any) -> Any:
        loss = F.softmax_cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


def train(model: nn.Module, optimizer: optim.Optimizer, steps: int = 5, *, first: int = 0, dtype: Any = None) -> None:
    """Plain steps on batches number `first` and on."""
    step = stepper(model, optimizer)
    for i in range(first, first + steps):
        step(*batch(dtype=dtype or model.flat().theta.dtype, seed=i))


def everything(model: nn.Module, optimizer: optim.Optimizer | None = None) -> dict[str, Any]:
    """All that a training step changes, as copies by name."""
    found: dict[str, Any] = dict(model.state_dict())
    found |= {f"counter {name}": np.asarray(counter.value) for name, counter in model.counters().items()}
    found["theta"] = model.flat().theta.copy()
    if optimizer is not None:
        found["steps taken"] = np.asarray(optimizer.steps_taken)
        found["steps"] = np.asarray([optimizer.steps_of(p) for p in model.parameters()])
        found |= {f"optimizer {name}": array.copy() for name, array in optimizer.state.items()}
    return found


def assert_same_bits(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Every array has the same dtype, shape and words."""
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype, name
        assert found[name].shape == array.shape, name
        assert found[name].tobytes() == array.tobytes(), name


def assert_on_the_flat_buffer(model: nn.Module) -> None:
    """Each parameter and gradient is a view into the buffers, and each segment starts at a multiple of 64 bytes."""
    flat = model.flat()
    for parameter in model.parameters():
        assert parameter.flat is flat
        assert np.shares_memory(parameter.data, flat.theta)
        assert parameter.data.ctypes.data % 64 == 0
        view = flat.grad_view(parameter.segment)
        assert np.shares_memory(view, flat.grad)
        assert view.ctypes.data - flat.grad.ctypes.data == parameter.data.ctypes.data - flat.theta.ctypes.data
        assert parameter.data.shape == view.shape == parameter.shape


STEPS = 6
"""How many steps captured and plain training are compared over."""


def twins(name: str = "adam", dtype: Any = np.float32, **options: Any) -> list[tuple[nn.Sequential, optim.Optimizer]]:
    """Two equal models, each with its optimizer."""
    models = [network(dtype) for _ in range(2)]
    return [(model, OPTIMIZERS[name](model, **options)) for model in models]


def batches(n: int = 16, dtype: Any = np.float32, steps: int = STEPS) -> list[tuple[Any, Any]]:
    """A batch for each step."""
    return [batch(n, dtype, seed=i) for i in range(steps)]


def run(pair: Any, wrap: Any, data: Any, before: Any = lambda number, optimizer: None) -> list[Any]:
    """The losses of one step for each batch."""
    model, optimizer = pair
    step = wrap(stepper(model, optimizer))
    losses = []
    for number, (x, y) in enumerate(data):
        before(number, optimizer)
        losses.append(step(x, y).numpy().copy())
    return losses
