"""One training step, captured where it can be."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from twingrad.capture import CapturedStep, capture
from twingrad.errors import CaptureError
from twingrad.namespace import namespace_of
from twingrad.train.losses import Loss, check_value
from twingrad.train.parts import Part

MODES = ("auto", "never", "require")
RECORDINGS = 2
"""Sizes of updates that are captured: most epochs have two, and each recording holds arrays of its own."""
RENEWALS = 8
"""So often recordings are made anew in a run, where a callback has changed what they hold: layers frozen, a mode."""


class Stepper:
    """step(batches): forward and backward of each batch, then one update; bit-equal whether captured or not.

    The gradient is the mean over all the examples: that of a batch of n_i of the n examples enters times n_i / n, and
    the batches' are added in their order. All are those of the loss times the optimizer's `loss_scale`.

    part: fetches what its batches name or hold, within the step; groups of `group` batches of its full size, or of the
    first group's where that is not known, run as a captured step. Groups of other sizes, such as an epoch's last, are
    captured when they come again: RECORDINGS in all.
    mode: "auto" falls back to eager steps where capture is refused, and `how` gives the reason; "require" raises the
    CaptureError; "never" does not try. Where a recording no longer holds, the steps are captured anew, RENEWALS times.
    """

    def __init__(self, model: Any, optimizer: Any, loss: Loss, part: Part, group: int, mode: str) -> None:
        self.model, self.optimizer, self.loss, self.fetch = model, optimizer, loss, part.fetch
        self.full: list[int] | None = None if part.full is None else [part.full] * group
        self.mode, self.captured = mode, mode != "never"
        self.how = "eager (asked for)" if mode == "never" else "captured"
        self._eager: dict[int, Callable[..., Any]] = {}
        self._captured: dict[tuple[int, ...], CapturedStep] = {}
        self._met: set[tuple[int, ...]] = set()
        self._renewals = 0

    def __call__(self, batches: Sequence[tuple[Any, ...]]) -> list[tuple[Any, int]]:
        """One update; the mean loss of each batch, a 0-d array where the model is, and its examples."""
        width, sizes = len(batches[0]), [len(batch[0]) for batch in batches]
        arrays = [array for batch in batches for array in batch]
        step = self._for(width, sizes)
        try:
            return _counted(step(*arrays), sizes)
        except CaptureError as error:
            if isinstance(step, CapturedStep) and step.recorded and self._renewals < RENEWALS:
                self._captured.clear()
                self._renewals += 1
                return self(batches)
            if self.mode != "auto" or not self.captured:
                raise
            self.captured, self.how = False, f"eager ({error})"
        return _counted(self._eager[width](*arrays), sizes)

    def _for(self, width: int, sizes: list[int]) -> Callable[..., Any]:
        """The step over batches of `width` arrays and these sizes: captured where that is worth it."""
        if width not in self._eager:
            self._eager[width] = self._step(width)
        self.full, kind = self.full or sizes, (width, *sizes)
        if not self.captured:
            return self._eager[width]
        if kind not in self._captured:
            again = sizes == self.full or kind in self._met
            self._met.add(kind)
            if not again or len(self._captured) == RECORDINGS:
                return self._eager[width]
            self._captured[kind] = capture(self._eager[width])
        return self._captured[kind]

    def _step(self, width: int) -> Callable[..., Any]:
        def step(*arrays: Any) -> list[Any]:
            losses = []
            self.optimizer.zero_grad()
            batches = [arrays[start : start + width] for start in range(0, len(arrays), width)]
            n = sum(len(batch[0]) for batch in batches)
            for x, target, *weight in itertools.starmap(self.fetch, batches):
                value = self.loss(self.model(x), target, **({"example_weight": weight[0]} if weight else {}))
                check_value(value)
                share = self.optimizer.loss_scale * len(target) / n
                value.backward(None if share == 1.0 else _share(value, share))
                losses.append(value.detach())
            self.optimizer.step()
            return losses

        return step


def _counted(losses: Sequence[Any], sizes: Sequence[int]) -> list[tuple[Any, int]]:
    return [(loss.data, size) for loss, size in zip(losses, sizes, strict=True)]


def _share(value: Any, share: float) -> Any:
    """What the gradient of a loss is multiplied with, as an array where the loss is."""
    return namespace_of(value.data).asarray(share, dtype=value.dtype, device=value.data.device)
