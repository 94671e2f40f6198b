"""One training step, captured where it can be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twingrad.capture import capture
from twingrad.errors import CaptureError
from twingrad.namespace import namespace_of
from twingrad.train.losses import Loss

MODES = ("auto", "never", "require")


class Stepper:
    """step(batches): forward and backward of each batch, then one update; bit-equal whether captured or not.

    The gradient is the mean over all the examples: that of a batch of n_i of the n examples enters times n_i / n, and
    the batches' are added in their order. All are those of the loss times the optimizer's `loss_scale`.

    full: the size of most batches; groups of `group` such batches run as a captured step. None takes the first group's.
    mode: "auto" falls back to eager steps where capture is refused, and `how` gives the reason; "require" raises the
    CaptureError; "never" does not try.
    """

    def __init__(self, model: Any, optimizer: Any, loss: Loss, full: int | None, group: int, mode: str) -> None:
        self.model, self.optimizer, self.loss = model, optimizer, loss
        self.full: list[int] | None = None if full is None else [full] * group
        self.mode, self.captured = mode, mode != "never"
        self.how = "eager (asked for)" if mode == "never" else "captured"
        self._steps: dict[int, tuple[Callable[..., Any], Callable[..., Any]]] = {}

    def __call__(self, batches: Sequence[tuple[Any, ...]]) -> list[tuple[Any, int]]:
        """One update; the mean loss of each batch, a 0-d array where the model is, and its examples."""
        sizes, arrays = [len(batch[1]) for batch in batches], [array for batch in batches for array in batch]
        eager, captured = self._for(len(batches[0]))
        self.full = self.full or sizes
        if self.captured and sizes == self.full:
            try:
                return _counted(captured(*arrays), sizes)
            except CaptureError as error:
                if self.mode == "require":
                    raise
                self.captured, self.how = False, f"eager ({error})"
        return _counted(eager(*arrays), sizes)

    def _for(self, width: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """The eager and the captured step over batches of so many arrays."""
        if width not in self._steps:
            eager = self._step(width)
            self._steps[width] = eager, capture(eager)
        return self._steps[width]

    def _step(self, width: int) -> Callable[..., Any]:
        def step(*arrays: Any) -> list[Any]:
            losses = []
            self.optimizer.zero_grad()
            batches = [arrays[start : start + width] for start in range(0, len(arrays), width)]
            n = sum(len(batch[1]) for batch in batches)
            for x, target, *weight in batches:
                value = self.loss(self.model(x), target, **({"example_weight": weight[0]} if weight else {}))
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
