"""The dense networks that benchmarks train, in each library: from equal weights, on noise.

Linear, [batch norm], ReLU, [dropout] for each hidden layer and a Linear at the end; softmax cross-entropy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from twingrad import nn
from twingrad.benchmarks import machine

Case = dict[str, Any]


def network(
    widths: Sequence[int],
    batch: int,
    *,
    batch_norm: bool = False,
    dropout: float = 0.0,
    lr: float = 1e-3,
    large: bool = False,
    targets: Mapping[str, float] | None = None,
) -> tuple[str, Case]:
    """A case by its name. targets: how many times as long each peer should take, see `report.targets`."""
    kind = [*["batch norm"] * batch_norm, *[f"dropout {dropout:g}"] * bool(dropout)]
    name = f"{'-'.join(map(str, widths))}, batch {batch}, {' + '.join(kind) or 'plain'}"
    case: Case = {"widths": list(widths), "batch": batch, "batch_norm": batch_norm, "dropout": dropout, "lr": lr}
    return name, case | {"large": large, "targets": dict(targets or {})}


def noise(case: Case, examples: int) -> tuple[Any, Any]:
    """x (examples, features) float32 and y (examples,) int64, drawn from one seed."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((examples, case["widths"][0]), np.float32)
    return x, rng.integers(0, case["widths"][-1], examples)


def initial(case: Case) -> list[Any]:
    """The weights that every contender starts from, (out, in) for each Linear; biases start at 0."""
    rng = np.random.default_rng(1)
    pairs = pairwise(case["widths"])
    return [(rng.standard_normal((out, n)) * (2 / n) ** 0.5).astype(np.float32) for n, out in pairs]


def layers(case: Case, dropout: float, linear: Any, norm: Any, relu: Any, drop: Any) -> list[Any]:
    """The layers in order, of whichever library."""
    *hidden, last = pairwise(case["widths"])
    found = []
    for n, out in hidden:
        found += [linear(n, out), *([norm(out)] if case["batch_norm"] else []), relu()]
        found += [drop(dropout)] if dropout else []
    return [*found, linear(*last)]


def twingrad_model(case: Case, dropout: float) -> Any:
    model = nn.Sequential(*layers(case, dropout, nn.Linear, nn.BatchNorm, nn.ReLU, nn.Dropout), seed=0)
    for layer, weight in zip((one for one in model if isinstance(one, nn.Linear)), initial(case), strict=True):
        layer.weight = weight
    return model


def torch_model(case: Case, dropout: float) -> Any:
    torch = machine.require("torch")
    of = torch.nn
    model = of.Sequential(*layers(case, dropout, of.Linear, of.BatchNorm1d, of.ReLU, of.Dropout))
    with torch.no_grad():
        for layer, weight in zip((one for one in model if isinstance(one, of.Linear)), initial(case), strict=True):
            layer.weight.copy_(torch.from_numpy(weight))
            layer.bias.zero_()
    return model
