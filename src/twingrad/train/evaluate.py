"""Loss and accuracy of a model on a data set."""

from __future__ import annotations

from typing import Any, NamedTuple

from twingrad.autodiff import no_grad
from twingrad.data import Dataset
from twingrad.namespace import namespace_of
from twingrad.train.losses import Loss, loss_function
from twingrad.train.modes import mode
from twingrad.train.placement import check_fit, place


class Evaluation(NamedTuple):
    """The mean loss over the examples, and the share of them whose largest logit is at their label."""

    loss: float
    accuracy: float


def evaluate(model: Any, data: Dataset, *, loss: str | Loss = "cross_entropy", batch_size: int = 1024) -> Evaluation:
    """Loss and accuracy of `model` on `data`: in evaluation mode, in batches, recording nothing.

    The model is left in the mode in which it came; losses and hits are summed in Python floats.

    Raises:
        ValueError: no examples, a feature count or labels that do not suit the model, a batch size below 1.
    """
    if batch_size < 1:
        raise ValueError(f"evaluate: batch_size must be at least 1; got {batch_size}")
    check_fit(model, data)
    return evaluate_arrays(model, *place(model, data), loss_function(loss), batch_size)


def evaluate_arrays(model: Any, x: Any, y: Any, loss: Loss, batch_size: int = 1024) -> Evaluation:
    """`evaluate` on arrays that are where the model is: x (N, D), y (N,)."""
    xp, n = namespace_of(x), len(y)
    total, hits = 0.0, 0
    with mode(model, training=False), no_grad():
        for start in range(0, n, batch_size):
            part, target = x[start : start + batch_size], y[start : start + batch_size]
            logits = model(part)
            total += float(loss(logits, target)) * len(target)
            hits += int(xp.count_nonzero(xp.argmax(logits.data, axis=1) == target))
    return Evaluation(total / n, hits / n)
