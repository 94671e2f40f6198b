"""The activations: each calls one function, elementwise or along the last axis; none has parameters."""

from __future__ import annotations

import math

from twingrad import functional as F
from twingrad.functional.checks import number
from twingrad.namespace import Array
from twingrad.nn.module import Module


class ReLU(Module):
    """max(x, 0)."""

    def forward(self, x: Array) -> Array:
        """x: any shape -> the same shape."""
        return F.relu(x)

    def describe(self) -> str:
        return "ReLU()"


class LeakyReLU(Module):
    """x where x > 0, else negative_slope x: a unit that is off still passes a gradient."""

    options = ("negative_slope",)

    def __init__(self, negative_slope: float = 0.01) -> None:
        if not math.isfinite(number("negative_slope of LeakyReLU", negative_slope)):
            raise ValueError(f"LeakyReLU needs a finite negative_slope, got {negative_slope}")
        self.negative_slope = float(negative_slope)

    def forward(self, x: Array) -> Array:
        """x: any shape -> the same shape."""
        return F.leaky_relu(x, negative_slope=self.negative_slope)

    def describe(self) -> str:
        return f"LeakyReLU({self.negative_slope})"


class Sigmoid(Module):
    """1 / (1 + e^-x). A network for two classes ends with logits: `F.binary_cross_entropy` takes those."""

    def forward(self, x: Array) -> Array:
        """x: any shape -> the same shape."""
        return F.sigmoid(x)

    def describe(self) -> str:
        return "Sigmoid()"


class Tanh(Module):
    """tanh x = 2 sigma(2x) - 1."""

    def forward(self, x: Array) -> Array:
        """x: any shape -> the same shape."""
        return F.tanh(x)

    def describe(self) -> str:
        return "Tanh()"


class Softmax(Module):
    """Probabilities along an axis, by default the last: PyTorch's dim=-1.

    A classifier ends with logits: `F.softmax_cross_entropy` takes those.
    """

    options = ("axis",)

    def __init__(self, axis: int = -1) -> None:
        if not isinstance(axis, int):
            raise TypeError(f"Softmax needs axis to be an integer, got {axis!r}")
        self.axis = axis

    def forward(self, x: Array) -> Array:
        """x: any shape -> the same shape."""
        return F.softmax(x, axis=self.axis)

    def describe(self) -> str:
        return "Softmax()" if self.axis == -1 else f"Softmax(axis={self.axis})"
