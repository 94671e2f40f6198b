"""The dense network that `twingrad train` builds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twingrad import nn
from twingrad.choice import choose

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky-relu": nn.LeakyReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}
INITS = {"relu": nn.init.he_normal, "leaky-relu": nn.init.he_normal}


def dense(
    features: int,
    outputs: int,
    *,
    hidden: Sequence[int],
    activation: str = "relu",
    dropout: float | Sequence[float] = 0.0,
    batch_norm: bool = False,
    seed: int = 0,
) -> nn.Sequential:
    """Linear, BatchNorm, activation and Dropout for each hidden width, then Linear: x (N, features) -> (N, outputs).

    activation: "relu", "leaky-relu" (weights of variance 2/n_in), "sigmoid", "tanh" (Glorot's 2/(n_in + n_out)).
    dropout: the probability p to drop a unit, in [0, 1), 1 - the course's keep_prob; or one for each hidden layer.
        0 leaves the layers out, as batch_norm=False does.

    Raises ValueError for an unknown activation, probabilities out of range or of another number than hidden layers.

    >>> [type(layer).__name__ for layer in dense(64, 10, hidden=[32], dropout=0.2)]
    ['Linear', 'ReLU', 'Dropout', 'Linear']
    """
    act = ACTIVATIONS[choose("activation", activation, ACTIVATIONS)]
    init: Any = INITS.get(activation, nn.init.glorot_normal)
    layers: list[nn.Module] = []
    for width, p in zip(hidden, _of_each(dropout, len(hidden)), strict=True):
        layers += [nn.Linear(features, width, init=init)]
        layers += [nn.BatchNorm(width)] * batch_norm
        layers += [act()]
        layers += [nn.Dropout(p)] * (p != 0)
        features = width
    return nn.Sequential(*layers, nn.Linear(features, outputs), seed=seed)


def _of_each(dropout: float | Sequence[float], layers: int) -> list[float]:
    found = list(dropout) if isinstance(dropout, Sequence) else [dropout] * layers
    if len(found) != layers:
        raise ValueError(f"dense: dropout is one probability, or one for each of {layers} hidden layers; got {dropout}")
    return found
