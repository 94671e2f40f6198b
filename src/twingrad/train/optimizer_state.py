"""An optimizer's state as a checkpoint keeps it."""

from __future__ import annotations

from typing import Any

import numpy as np


def state_of(optimizer: Any) -> dict[str, Any]:
    """Moments, step numbers and learning rate."""
    if hasattr(optimizer, "state_dict"):
        found: dict[str, Any] = optimizer.state_dict()
        return found
    optimizer._follow()
    lr = optimizer.lr
    return {
        "steps_taken": optimizer.steps_taken,
        "lr": None if callable(lr) else lr,
        "steps": optimizer._steps.copy(),
        "state": {name: np.array(array) for name, array in optimizer.state.items()},
    }


def put_back(optimizer: Any, state: dict[str, Any]) -> None:
    """Make it the optimizer's state again."""
    if hasattr(optimizer, "load_state_dict"):
        optimizer.load_state_dict(state)
        return
    optimizer._follow()
    optimizer.steps_taken = state["steps_taken"]
    if state["lr"] is not None:
        optimizer.lr = state["lr"]
    optimizer._steps[...] = state["steps"]
    for name, array in state["state"].items():
        optimizer.state[name][...] = array
