"""One training step, captured where it can be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twingrad.capture import capture
from twingrad.errors import CaptureError
from twingrad.train.losses import Loss

MODES = ("auto", "never", "require")


class Stepper:
    """step(x, y) -> the loss: forward, backward and update; full-size batches by a captured step, bit-equal to eager.

    mode: "auto" falls back to eager steps where capture is refused, and `how` gives the reason; "require" raises the
    CaptureError; "never" does not try.
    """

    def __init__(self, model: Any, optimizer: Any, loss: Loss, full: int, mode: str) -> None:
        self.eager = _step(model, optimizer, loss)
        self.captured: Callable[[Any, Any], Any] | None = None if mode == "never" else capture(self.eager)
        self.full, self.mode = full, mode
        self.how = "eager (asked for)" if mode == "never" else "captured"

    def __call__(self, x: Any, y: Any) -> Any:
        if self.captured is not None and len(y) == self.full:
            try:
                return self.captured(x, y)
            except CaptureError as error:
                if self.mode == "require":
                    raise
                self.captured, self.how = None, f"eager ({error})"
        return self.eager(x, y)


def _step(model: Any, optimizer: Any, loss: Loss) -> Callable[[Any, Any], Any]:
    def step(x: Any, y: Any) -> Any:
        value = loss(model(x), y)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        return value

    return step
