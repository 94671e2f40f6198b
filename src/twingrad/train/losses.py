"""The losses that `fit` knows by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twingrad import functional as F
from twingrad.choice import choose

Loss = Callable[[Any, Any], Any]

LOSSES: dict[str, Loss] = {"cross_entropy": F.softmax_cross_entropy}


def loss_function(loss: str | Loss) -> Loss:
    """The function (logits, target) -> mean loss of that name; a function is returned as it is."""
    return loss if callable(loss) else LOSSES[choose("loss", loss, LOSSES)]
