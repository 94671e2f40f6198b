"""The dense classifier that `twingrad train` builds."""

from __future__ import annotations

from collections.abc import Sequence

from twingrad import nn


def dense(
    features: int, classes: int, *, hidden: Sequence[int], dropout: float = 0.0, batch_norm: bool = False, seed: int = 0
) -> nn.Sequential:
    """Linear, BatchNorm, ReLU and Dropout for each hidden width, then Linear: x (N, features) -> logits (N, classes).

    dropout: the probability p to drop a unit, in [0, 1); 0 leaves the layers out, as batch_norm=False does.

    >>> [type(layer).__name__ for layer in dense(64, 10, hidden=[32], dropout=0.2)]
    ['Linear', 'ReLU', 'Dropout', 'Linear']
    """
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(features, width)]
        layers += [nn.BatchNorm(width)] * batch_norm
        layers += [nn.ReLU()]
        layers += [nn.Dropout(dropout)] * (dropout > 0)
        features = width
    return nn.Sequential(*layers, nn.Linear(features, classes), seed=seed)
