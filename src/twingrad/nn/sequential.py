"""`Sequential`: layers one after another."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from twingrad.nn.fusing import groups, run
from twingrad.nn.layers import BatchNorm, Linear
from twingrad.nn.module import Module
from twingrad.random import DEFAULT_SEED
from twingrad.random.philox import check_key


class Sequential(Module):
    """The layers in order, each fed with what the one before returns; named "0", "1", ... as PyTorch does.

    A Linear or BatchNorm, an activation after it, and a Dropout after a ReLU run in one pass, to the same bits as one
    after another; `summary` tells which.
    seed: 64 bits, for all that is drawn in the network; that of the outermost module counts.

    >>> import numpy as np
    >>> from twingrad import nn
    >>> model = Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1), seed=1)
    >>> model(np.ones((4, 2), np.float32)).shape
    (4, 1)
    >>> print(model.summary())
    layer                parameters
    0      Linear(2, 3)           9
    1      ReLU()                 0  in the pass of 0
    2      Linear(3, 1)           4
    total                        13
    """

    def __init__(self, *layers: Module, seed: int = DEFAULT_SEED) -> None:
        check_key(seed, 0, 0)
        self.seed = seed
        for i, layer in enumerate(layers):
            if not isinstance(layer, Module):
                raise TypeError(f"layer {i} of Sequential is a {type(layer).__name__}, not a Module")
            setattr(self, str(i), layer)

    def forward(self, x: Any) -> Any:
        """x: what the first layer takes -> what the last returns."""
        for group in groups(self):
            x = run(group, x)
        return x

    @property
    def takes_integers(self) -> bool:  # type: ignore[override]
        """Whether the first layer takes them."""
        return any(layer.takes_integers for layer in list(self)[:1])

    def joined(self) -> dict[str, str]:
        if type(self).forward is not Sequential.forward:
            return {}
        names = iter(self._modules)  # not by layer: one may stand in several places
        passes = [[next(names) for _ in group] for group in groups(self)]
        return {name: head for head, *rest in passes for name in rest}

    def useless_biases(self) -> dict[str, str]:
        if type(self).forward is not Sequential.forward:
            return {}
        pairs = pairwise(self._modules.items())
        return {name: by for (name, layer), (by, norm) in pairs if _adds_a_bias(layer) and isinstance(norm, BatchNorm)}

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __len__(self) -> int:
        return len(self._modules)

    def __getitem__(self, index: int) -> Module:
        layer: Module = list(self._modules.values())[index]
        return layer


def _adds_a_bias(layer: Module) -> bool:
    return isinstance(layer, Linear) and "bias" in layer._parameters
