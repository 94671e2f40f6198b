"""Networks that compute with `twingrad.xp` between their layers: what tests of captured steps share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twingrad import functional as F
from twingrad import nn, xp

import networks

MIXES: dict[str, Callable[[Any, Any], Any]] = {
    "a residual sum": lambda one, two: one + two,
    "three of them": lambda one, two: (one + two) + (two + one),
    "a difference": lambda one, two: one - two,
    "a product": lambda one, two: one * two,
    "a square": lambda one, two: two * two,
    "a quotient": lambda one, two: one / (two * two + 1.0),
    "numbers before": lambda one, two: 2.0 * one + (1 - two) / 3,
    "a number divided": lambda one, two: 0.5 / (one * one + 2),
    "signs": lambda one, two: -one - -two,
    "a shape and back": lambda one, two: (one.reshape(-1) + xp.reshape(two, (-1,))).reshape(one.shape),
    "an axis more and less": lambda one, two: xp.squeeze(xp.expand_dims(one, axis=1), axis=1) + two,
    "the same tensor in five places": lambda one, two: F.relu(two) + F.sigmoid(two) * two + F.leaky_relu(two) + one,
}


class Mixed(nn.Module):
    """Two layers around `mix`, of their first result and of the second's."""

    def __init__(self, mix: Callable[[Any, Any], Any], dtype: Any, wide: int) -> None:
        self.first, self.second = nn.Linear(networks.IN, wide, dtype=dtype), nn.Linear(wide, wide, dtype=dtype)
        self.last = nn.Linear(wide, networks.OUT, dtype=dtype)
        self.mix = mix

    def forward(self, x: Any) -> Any:
        one = F.tanh(self.first(x))
        return self.last(self.mix(one, F.tanh(self.second(one))))
