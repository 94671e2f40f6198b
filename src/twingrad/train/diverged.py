"""Training that came to a loss that is not finite."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from twingrad.train.history import History, Record


class Diverged(ArithmeticError):
    """The loss became NaN or infinite and ended `fit`. The model holds the best parameters before that, if there are
    any; `history` tells how far it came, the evaluation that was not finite among it.
    """

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history


def told(record: Record) -> str | None:
    """What is wrong with the loss of the train part; None where it is finite."""
    if math.isfinite(record.train.loss):
        return None
    return f"the loss is {record.train.loss:g} after epoch {record.epoch}, update {record.step}"


def told_of(state: dict[str, Any], epoch: int, step: int) -> str | None:
    """The first array of a model that holds NaN or infinity, and when; None where all are finite."""
    name = next((name for name, array in state.items() if not np.isfinite(array).all()), None)
    return None if name is None else f"{name} of the model is not finite in epoch {epoch}, update {step}"


def cures(lr: float, clipped: bool) -> str:
    """What helps most often."""
    clip = "" if clipped else ", clip the gradient (clip_norm=1),"
    return f"lower the learning rate (it was {lr:g}){clip} or look for extreme values in the data"
