"""Reverse-mode automatic differentiation: `Tensor`, the tape, and gradients of functions."""

from twingrad.autodiff.checkpoint import checkpoint
from twingrad.autodiff.custom import custom_rule
from twingrad.autodiff.functions import grad, value_and_grad
from twingrad.autodiff.tape import Destination, is_recording, no_grad
from twingrad.autodiff.tensor import Tensor, record
from twingrad.autodiff.transforms import hvp, jacobian, jvp, vjp
from twingrad.autodiff.walk import gradients
from twingrad.errors import AutodiffError

__all__ = [
    "AutodiffError",
    "Destination",
    "Tensor",
    "checkpoint",
    "custom_rule",
    "grad",
    "gradients",
    "hvp",
    "is_recording",
    "jacobian",
    "jvp",
    "no_grad",
    "record",
    "value_and_grad",
    "vjp",
]
