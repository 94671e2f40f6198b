"""Gradient descent as an optimizer."""

from __future__ import annotations

from collections.abc import Callable

from twingrad import functional as F
from twingrad.functional.sgd import COLUMNS
from twingrad.namespace import Array
from twingrad.nn import Module
from twingrad.optim.optimizer import Optimizer


class SGD(Optimizer):
    """p = p - lr (g + weight_decay p): batch, mini-batch or stochastic by the batch that the gradient comes from.

    See `Optimizer` for the arguments and `twingrad.functional.sgd_update` for the arithmetic.

    >>> import numpy as np
    >>> from twingrad import nn
    >>> model = nn.Linear(1, 1)
    >>> model.weight, model.bias = [[2.0]], [0.0]
    >>> optimizer = SGD(model, lr=0.1)
    >>> model(np.ones((1, 1), np.float32)).sum().backward()
    >>> optimizer.step()
    >>> model.weight
    Parameter(array([[1.9]], dtype=float32))
    """

    columns = COLUMNS

    def __init__(
        self, model: Module | None = None, *, lr: float | Callable[[int], float] = 1e-2, weight_decay: float = 0.0
    ) -> None:
        super().__init__(model, lr=lr, weight_decay=weight_decay)

    def row(self, *, step: int, lr: float, decay: float) -> tuple[float, ...]:
        return lr, decay

    def rule(self, theta: Array, grad: Array, segments: Array, control: Array) -> None:
        F.sgd_segments(theta, grad, segments, control)
