"""Adam and AdamW as optimizers."""

from __future__ import annotations

import functools
from typing import Any, Unpack

from twingrad import functional as F
from twingrad.functional.adam import COLUMNS, adam_control
from twingrad.functional.checks import below_one, non_negative, one_of
from twingrad.functional.terms import Terms
from twingrad.namespace import Array
from twingrad.nn import Module
from twingrad.optim.arguments import Checked, Shared
from twingrad.optim.average import AVERAGE
from twingrad.optim.optimizer import Optimizer
from twingrad.optim.rate import Rate

EPS_FORMS = ("outside", "inside")


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, Algorithm 1), with L2 weight decay added to the gradient.

    beta1, beta2: of the first and second moment, each in [0, 1). eps_form: "outside" the root, as in the paper and
    PyTorch, or "inside", where an eps of the same strength is the square.
    See `Optimizer` for the other arguments and `twingrad.functional.adam_update` for the arithmetic.
    """

    state_names = ("m", "v")
    columns = COLUMNS
    options = ("beta1", "beta2", "eps", "eps_form", *Optimizer.options)
    beta1, beta2, eps = Checked(below_one), Checked(below_one), Checked(non_negative)
    eps_form = Checked(functools.partial(one_of, known=EPS_FORMS))

    def __init__(
        self,
        model: Module | None = None,
        *,
        lr: Rate = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        eps_form: str = "outside",
        **shared: Unpack[Shared],
    ) -> None:
        self.beta1, self.beta2, self.eps, self.eps_form = beta1, beta2, eps, eps_form
        super().__init__(model, lr=lr, **shared)

    def row(self, *, step: int, lr: float, around: Terms) -> tuple[float, ...]:
        rule = {"beta1": self.beta1, "beta2": self.beta2, "eps": self.eps}
        return adam_control(step=step, lr=lr, eps_form=self.eps_form, **rule, **around._asdict())

    def rule(self, theta: Array, grad: Array, segments: Array, control: Array, copy: Array | None) -> None:
        m, v = self.state["m"], self.state["v"]
        F.adam_segments(theta, grad, m, v, segments, control, average=self.state.get(AVERAGE), copy=copy)


class AdamW(Adam):
    """AdamW (Loshchilov and Hutter 2019, Algorithm 2): Adam with decoupled decay, of 1e-2 by default."""

    def __init__(
        self, model: Module | None = None, *, weight_decay: float = 1e-2, decoupled: bool = True, **others: Any
    ) -> None:
        super().__init__(model, weight_decay=weight_decay, decoupled=decoupled, **others)
