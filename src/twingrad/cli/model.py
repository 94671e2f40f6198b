"""The model that `evaluate` and `predict` load."""

from __future__ import annotations

from typing import Any

import numpy as np

from twingrad.cli.parser import Options
from twingrad.devices import resolve
from twingrad.train import load_model


def loaded(options: Options) -> Any:
    """The model of a run, on the device that was asked for.

    Raises:
        OSError, ValueError: as `load_model`; a model whose numbers are not finite, so that all that it says is nothing.
    """
    device = options.given().get("device", "auto")
    model = load_model(options.run)
    for name, array in model.state_dict().items():
        if not np.isfinite(array).all():
            raise ValueError(f"{options.run} holds a model that diverged: {name} is not finite; train it anew")
    return model.to(resolve(None if device == "auto" else device))
