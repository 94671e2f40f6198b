"""The learning rate's schedule that options ask for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twingrad.optim import schedules

DECAY = {"inverse": 1.0, "exponential": 0.95, "sqrt": 1.0, "staircase": 0.5}
"""What --decay is where it is not given: rate, base, k and factor."""


def learning_rate(values: dict[str, Any], updates: int) -> Any:
    """The rate, or its schedule, for so many updates an epoch.

    Raises:
        ValueError: an option that does not apply, or a bad value of one.
    """
    name, lr = values["schedule"], values["lr"]
    if values["decay"] is not None and name not in DECAY:
        raise ValueError(f"--decay does not apply to the schedule {name}; it is of {', '.join(DECAY)}")
    decay: float = DECAY.get(name, 0.0) if values["decay"] is None else values["decay"]
    length = updates * values["decay_epochs"]
    makers: dict[str, Callable[[], Any]] = {
        "constant": lambda: lr,
        "cosine": lambda: schedules.Cosine(lr, length=max(1, updates * values["epochs"])),
        "restarts": lambda: schedules.CosineRestarts(lr, length=length),
        "cyclic": lambda: schedules.Triangular(lr / 10, lr, half=max(1, length // 2)),
        "inverse": lambda: schedules.InverseTime(lr, decay=decay),
        "exponential": lambda: schedules.Exponential(lr, base=decay),
        "sqrt": lambda: schedules.InverseSqrt(lr, k=decay),
        "staircase": lambda: schedules.Staircase(lr, every=values["decay_epochs"], factor=decay),
    }
    if values["epochs"] and values["warmup"] >= values["epochs"]:
        raise ValueError(f"--warmup must be below the {values['epochs']} --epochs; got {values['warmup']}")
    try:
        found = makers[name]()
    except ValueError as error:
        raise ValueError(f"--decay: {error}") from None
    return schedules.Warmup(found, steps=updates * values["warmup"]) if values["warmup"] else found
