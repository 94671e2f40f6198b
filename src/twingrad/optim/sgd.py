"""Gradient descent as an optimizer, plain and with momentum."""

from __future__ import annotations

import functools
from typing import Unpack

from twingrad import functional as F
from twingrad.functional.checks import below_one, one_of
from twingrad.functional.sgd import COLUMNS, FORMS, check_nesterov, sgd_control
from twingrad.functional.terms import Terms
from twingrad.namespace import Array
from twingrad.nn import Module
from twingrad.optim.arguments import Built, Checked, Shared, flag
from twingrad.optim.average import AVERAGE
from twingrad.optim.optimizer import Optimizer
from twingrad.optim.rate import Rate


class SGD(Optimizer):
    """p = p - lr g: batch, mini-batch or stochastic by the batch that the gradient comes from; with momentum, p - lr m.

    momentum: in [0, 1); 0 is plain descent. form: "pytorch", m = momentum m + g, or "course",
    m = momentum m + (1 - momentum) g, which is the former with lr (1 - momentum). nesterov: looks ahead by one step of
    momentum. bias_correction: divides m by 1 - momentum^t, not with nesterov.
    See `Optimizer` for the other arguments and `twingrad.functional.momentum_update` for the arithmetic.

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
    options = ("momentum", "form", "nesterov", "bias_correction", *Optimizer.options)
    momentum, form = Built(below_one), Checked(functools.partial(one_of, known=FORMS))
    nesterov, bias_correction = Checked(flag), Checked(flag)

    def __init__(
        self,
        model: Module | None = None,
        *,
        lr: Rate = 1e-2,
        momentum: float = 0.0,
        form: str = "pytorch",
        nesterov: bool = False,
        bias_correction: bool = False,
        **shared: Unpack[Shared],
    ) -> None:
        self.momentum, self.form = momentum, form
        self.nesterov, self.bias_correction = nesterov, bias_correction
        if (nesterov or bias_correction) and momentum == 0:
            name = "nesterov" if nesterov else "bias_correction"
            raise ValueError(f"{name} does not apply without momentum; give momentum=0.9, for example")
        check_nesterov(nesterov, bias_correction)
        self.state_names = ("m",) if self.momentum else ()
        super().__init__(model, lr=lr, **shared)

    @property
    def step_gain(self) -> float:
        return float(1.0 / (1.0 - self.momentum)) if self.form == "pytorch" else 1.0

    def row(self, *, step: int, lr: float, around: Terms) -> tuple[float, ...]:
        return sgd_control(
            step=step,
            lr=lr,
            momentum=self.momentum,
            form=self.form,
            nesterov=self.nesterov,
            bias_correction=self.bias_correction,
            **around._asdict(),
        )

    def rule(self, theta: Array, grad: Array, segments: Array, control: Array, copy: Array | None) -> None:
        F.sgd_segments(theta, grad, self.state.get("m"), segments, control, average=self.state.get(AVERAGE), copy=copy)
