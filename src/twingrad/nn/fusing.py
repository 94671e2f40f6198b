"""Which neighbours run in one pass: a Linear or BatchNorm, the activation after it, and a Dropout after a ReLU.

A dropout's gradient is told from the result where the activation is a ReLU, and from nothing but its mask elsewhere: so
after another layer it runs by itself. A subclass of a layer runs by itself too, for its `forward` may differ.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twingrad import functional as F
from twingrad.nn.activations import LeakyReLU, ReLU, Sigmoid, Tanh
from twingrad.nn.layers import BatchNorm, Dropout, Linear
from twingrad.nn.module import Module

ACTIVATIONS: dict[type[Module], str] = {ReLU: "relu", LeakyReLU: "leaky_relu", Sigmoid: "sigmoid", Tanh: "tanh"}


def follows(layer: Module, group: list[Module]) -> bool:
    """Whether `layer` runs in the pass of the layers in `group`, the first of which begins it."""
    if "forward" in vars(layer) or "forward" in vars(group[0]) or type(group[0]) not in (Linear, BatchNorm):
        return False
    if len(group) == 1:
        return type(layer) in ACTIVATIONS and getattr(layer, "negative_slope", 0.0) >= 0
    return len(group) == 2 and type(layer) is Dropout and type(group[1]) is ReLU


def groups(layers: Iterable[Module]) -> list[list[Module]]:
    """The layers in order, those together that run in one pass."""
    found: list[list[Module]] = []
    for layer in layers:
        if found and follows(layer, found[-1]):
            found[-1].append(layer)
        else:
            found.append([layer])
    return found


def run(group: list[Module], x: Any) -> Any:
    """What the layers of a group make of x, one after another."""
    head, *rest = group
    if not rest:
        return head(x)
    for layer in group:
        layer.enter()
    activation, *dropout = rest
    slope = activation.negative_slope if isinstance(activation, LeakyReLU) else 0.0
    mask = dropout[0].mask() if dropout else None
    try:
        return head.followed_by(x, F.Tail(ACTIVATIONS[type(activation)], slope, mask))
    except BaseException:
        if mask is not None:
            dropout[0].take_back()
        raise
