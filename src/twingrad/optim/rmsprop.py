"""RMSprop as an optimizer."""

from __future__ import annotations

import functools
from typing import Unpack

from twingrad import functional as F
from twingrad.functional.checks import below_one, non_negative, one_of
from twingrad.functional.rmsprop import COLUMNS, rmsprop_control
from twingrad.functional.terms import Terms
from twingrad.namespace import Array
from twingrad.nn import Module
from twingrad.optim.adam import EPS_FORMS
from twingrad.optim.arguments import Built, Checked, Shared, flag
from twingrad.optim.average import AVERAGE
from twingrad.optim.optimizer import Optimizer
from twingrad.optim.rate import Rate


class RMSprop(Optimizer):
    """RMSprop (Tieleman and Hinton 2012, lecture 6.5) in PyTorch's form: the gradient over the root of its mean square.

    alpha: of the mean square, in [0, 1), the course's beta. eps_form: "outside" the root (PyTorch's) or "inside".
    momentum: of the steps, in [0, 1). centered: divides by the deviation in place of that root (Graves 2013).
    bias_correction: divides the mean square by 1 - alpha^t, not with centered.
    See `Optimizer` for the other arguments and `twingrad.functional.rmsprop_segments` for the arithmetic.
    """

    columns = COLUMNS
    options = ("alpha", "eps", "eps_form", "momentum", "centered", "bias_correction", *Optimizer.options)
    alpha, eps, eps_form = (
        Checked(below_one),
        Checked(non_negative),
        Checked(functools.partial(one_of, known=EPS_FORMS)),
    )
    momentum, centered, bias_correction = Built(below_one), Built(flag), Checked(flag)

    def __init__(
        self,
        model: Module | None = None,
        *,
        lr: Rate = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        eps_form: str = "outside",
        momentum: float = 0.0,
        centered: bool = False,
        bias_correction: bool = False,
        **shared: Unpack[Shared],
    ) -> None:
        self.alpha, self.eps, self.momentum, self.eps_form = alpha, eps, momentum, eps_form
        self.centered, self.bias_correction = centered, bias_correction
        if centered and bias_correction:
            raise ValueError("bias_correction of the centered form is not defined; choose one of the two")
        self.state_names = ("v", *["buffer"] * (self.momentum > 0), *["mean"] * self.centered)
        super().__init__(model, lr=lr, **shared)

    @property
    def step_gain(self) -> float:
        return float(1.0 / (1.0 - self.momentum))

    def row(self, *, step: int, lr: float, around: Terms) -> tuple[float, ...]:
        return rmsprop_control(
            step=step,
            lr=lr,
            alpha=self.alpha,
            eps=self.eps,
            eps_form=self.eps_form,
            momentum=self.momentum,
            bias_correction=self.bias_correction,
            **around._asdict(),
        )

    def rule(self, theta: Array, grad: Array, segments: Array, control: Array, copy: Array | None) -> None:
        buffer, mean = self.state.get("buffer"), self.state.get("mean")
        average = self.state.get(AVERAGE)
        F.rmsprop_segments(theta, grad, self.state["v"], buffer, mean, segments, control, average=average, copy=copy)
