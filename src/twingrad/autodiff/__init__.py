"""Reverse-mode automatic differentiation: `Tensor`, the tape, and gradients of functions."""

from twingrad.autodiff.functions import grad, value_and_grad
from twingrad.autodiff.tape import Destination, gradients, is_recording, no_grad, record
from twingrad.autodiff.tensor import Tensor
from twingrad.errors import AutodiffError

__all__ = [
    "AutodiffError",
    "Destination",
    "Tensor",
    "grad",
    "gradients",
    "is_recording",
    "no_grad",
    "record",
    "value_and_grad",
]
