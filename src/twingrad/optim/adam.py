"""Adam and AdamW as optimizers."""

from __future__ import annotations

from collections.abc import Callable

from twingrad import functional as F
from twingrad.functional.adam import COLUMNS, adam_control
from twingrad.namespace import Array
from twingrad.nn import Module
from twingrad.optim.optimizer import Optimizer, below_one, non_negative


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, Algorithm 1), with L2 weight decay added to the gradient.

    beta1, beta2: of the first and second moment, each in [0, 1). eps: outside the root, as in the paper and PyTorch.
    See `Optimizer` for the other arguments and `twingrad.functional.adam_update` for the arithmetic.
    """

    state_names = ("m", "v")
    columns = COLUMNS

    def __init__(
        self,
        model: Module | None = None,
        *,
        lr: float | Callable[[int], float] = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        self.beta1, self.beta2 = below_one("beta1", beta1), below_one("beta2", beta2)
        self.eps = non_negative("eps", eps)
        super().__init__(model, lr=lr, weight_decay=weight_decay)

    def row(self, *, step: int, lr: float, decay: float) -> tuple[float, ...]:
        return adam_control(step=step, lr=lr, beta1=self.beta1, beta2=self.beta2, eps=self.eps, l2=decay)

    def rule(self, theta: Array, grad: Array, segments: Array, control: Array) -> None:
        F.adam_segments(theta, grad, self.state["m"], self.state["v"], segments, control)


class AdamW(Adam):
    """AdamW (Loshchilov and Hutter 2019, Algorithm 2): Adam with the weights shrunk by 1 - lr * weight_decay."""

    def __init__(
        self,
        model: Module | None = None,
        *,
        lr: float | Callable[[int], float] = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(model, lr=lr, beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay)

    def row(self, *, step: int, lr: float, decay: float) -> tuple[float, ...]:
        return adam_control(step=step, lr=lr, beta1=self.beta1, beta2=self.beta2, eps=self.eps, shrink=1.0 - lr * decay)
