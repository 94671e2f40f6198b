"""The losses that `fit` knows by name, and the one that each task takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twingrad import functional as F
from twingrad.autodiff import Tensor
from twingrad.choice import choose

Loss = Callable[..., Any]
"""(outputs, targets) -> the mean loss; with weights of examples (outputs, targets, example_weight=...)."""

AUTO = "auto"
LOSSES: dict[str, Loss] = {
    "cross_entropy": F.softmax_cross_entropy,
    "binary_cross_entropy": F.binary_cross_entropy,
    "mean_squared_error": F.mean_squared_error,
    "mean_absolute_error": F.mean_absolute_error,
}
OF_TASK = {
    "multi-class": ("cross_entropy",),
    "binary": ("binary_cross_entropy",),
    "multi-label": ("binary_cross_entropy",),
    "regression": ("mean_squared_error", "mean_absolute_error"),
}
"""For each task the losses that suit it, the default first."""


def check_loss(loss: str | Loss) -> None:
    """Raise a ValueError for a name that is none."""
    if not callable(loss):
        choose("loss", loss, [AUTO, *LOSSES])


def check_value(value: Any) -> None:
    """Raise a TypeError unless `value`, which a loss gave, is one number on the tape."""
    if not isinstance(value, Tensor) or value.shape:
        found = f"one of shape {value.shape}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
        raise TypeError(f"fit: loss(outputs, targets) must return the mean loss, a Tensor of shape (); it gave {found}")


def loss_name(loss: str | Loss, task: str) -> str:
    """The name of the loss for a task; that of a function is the function's own.

    Raises:
        ValueError: an unknown name, or a loss that does not suit the task.
    """
    if callable(loss):
        return str(getattr(loss, "__qualname__", type(loss).__qualname__))
    check_loss(loss)
    if loss == AUTO:
        return OF_TASK[task][0]
    if loss not in OF_TASK[task]:
        raise ValueError(f"loss {loss!r} does not suit task {task!r}, which takes {' or '.join(OF_TASK[task])}")
    return loss
