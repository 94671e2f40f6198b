"""Switches for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from twingrad.nn.layers import Dropout
from twingrad.nn.module import Module


@contextmanager
def without_dropout(model: Module) -> Iterator[None]:
    """Within the block no `Dropout` layer of `model` drops anything, and no mask is drawn or counted; all else stays.

    The course's switch for debugging: the cost is then a plain function of the parameters, and must fall at each step
    of gradient descent. `tg.fit(dropout=False)` is the same for a run. Within the block `model.train()` would turn
    dropout on again.

    >>> import numpy as np
    >>> from twingrad import nn
    >>> model = nn.Sequential(nn.Dropout(0.5))
    >>> with without_dropout(model):
    ...     print(model(np.ones(4)))
    [1. 1. 1. 1.]
    """
    layers = [module for _, module in model.modules() if isinstance(module, Dropout)]
    modes = [layer.training for layer in layers]
    for layer in layers:
        layer.training = False
    try:
        yield
    finally:
        for layer, training in zip(layers, modes, strict=True):
            layer.training = training
