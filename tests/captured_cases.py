"""Every layer, loss and optimizer in a training step: what captured steps are compared with plain ones over."""

from __future__ import annotations

from typing import Any

import numpy as np

from twingrad import functional as F
from twingrad import nn

import networks

N, WIDE = 32, 40

LAYERS: dict[str, Any] = {
    "Linear": lambda dtype: [nn.Linear(WIDE, WIDE, dtype=dtype)],
    "BatchNorm": lambda dtype: [nn.BatchNorm(WIDE, dtype=dtype)],
    "LayerNorm": lambda dtype: [nn.LayerNorm(WIDE, dtype=dtype)],
    "ReLU": lambda dtype: [nn.ReLU()],
    "LeakyReLU": lambda dtype: [nn.LeakyReLU(0.1)],
    "Sigmoid": lambda dtype: [nn.Sigmoid()],
    "Tanh": lambda dtype: [nn.Tanh()],
    "Softmax": lambda dtype: [nn.Softmax()],
    "Dropout": lambda dtype: [nn.Dropout(0.3)],
    "Embedding": lambda dtype: [],
    "Flatten": lambda dtype: [nn.Flatten()],
    "Sequential": lambda dtype: [nn.Sequential(nn.BatchNorm(WIDE, dtype=dtype), nn.ReLU(), nn.Dropout(0.3))],
}


def classes(rng, dtype):
    return (rng.integers(0, networks.OUT, N),)


def values(rng, dtype):
    return (rng.random((N, networks.OUT)).astype(dtype),)


def probabilities(rng, dtype):
    return (rng.dirichlet(np.ones(networks.OUT), N).astype(dtype),)


def weighted(targets):
    return lambda rng, dtype: (*targets(rng, dtype), rng.random(N).astype(dtype))


CASES: dict[str, Any] = {
    "cross_entropy": (classes, lambda out, y: F.softmax_cross_entropy(out, y)),
    "cross_entropy, soft": (probabilities, lambda out, y: F.softmax_cross_entropy(out, y, reduction="sum")),
    "cross_entropy, weights": (
        lambda rng, dtype: (*weighted(classes)(rng, dtype), np.linspace(0.5, 2.0, networks.OUT).astype(dtype)),
        lambda out, y, w, of_class: F.softmax_cross_entropy(out, y, of_class, w),
    ),
    "binary_cross_entropy": (values, lambda out, y: F.binary_cross_entropy(out, y)),
    "binary_cross_entropy, weights": (weighted(values), lambda out, y, w: F.binary_cross_entropy(out, y, None, w)),
    "mean_squared_error": (values, lambda out, y: F.mean_squared_error(out, y)),
    "mean_squared_error, weights": (weighted(values), lambda out, y, w: F.mean_squared_error(out, y, w)),
    "mean_absolute_error": (values, lambda out, y: F.mean_absolute_error(out, y)),
    "two of them": (
        values,
        lambda out, y: F.mean_squared_error(out, y) + 0.5 * F.mean_absolute_error(F.tanh(out), y),
    ),
}


def network(layer, dtype):
    first = nn.Embedding(9, WIDE, dtype=dtype) if layer == "Embedding" else nn.Linear(networks.IN, WIDE, dtype=dtype)
    return nn.Sequential(first, *LAYERS[layer](dtype), nn.Linear(WIDE, networks.OUT, dtype=dtype), seed=3)


def step_of(layer, case, optimizer, dtype):
    """A model, its optimizer, and a step; batches are made by `batch_of`."""
    model = network(layer, dtype)
    rule, loss_of = networks.OPTIMIZERS[optimizer](model), CASES[case][1]

    def step(x, *targets):
        loss = loss_of(model(x), *targets)
        rule.zero_grad()
        loss.backward()
        rule.step()
        return loss

    return model, rule, step


def batch_of(layer, case, dtype, seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 9, N) if layer == "Embedding" else rng.standard_normal((N, networks.IN)).astype(dtype)
    return x, *CASES[case][0](rng, dtype)


EVERYTHING = [
    *[(layer, "cross_entropy", "adam") for layer in LAYERS],
    *[("ReLU", case, "momentum") for case in CASES],
    *[("BatchNorm", "cross_entropy", optimizer) for optimizer in networks.OPTIMIZERS],
]
