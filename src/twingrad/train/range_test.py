"""The learning-rate range test."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from twingrad.capture import capture
from twingrad.data import Dataset, Splits
from twingrad.devices import computing_on, resolve
from twingrad.functional.checks import integer, number
from twingrad.optim import EWA
from twingrad.train import checks, curves
from twingrad.train.interval import Interval
from twingrad.train.job import Job
from twingrad.train.losses import AUTO, Loss, check_loss
from twingrad.train.modes import mode
from twingrad.train.plan import Plan
from twingrad.train.trainer import Trainer

BETA = 0.9
"""Of the average that smooths the losses."""
WORSE = 4.0
"""The test ends where the smoothed loss is so many times the lowest."""
BELOW = 10.0
"""The suggestion is so many times below the rate of the lowest loss."""


@dataclass(frozen=True)
class RangeTest:
    """What `lr_range_test` found.

    rates: of each step. losses: of its mini-batch, before the update. smooth: their exponentially weighted average.
    """

    rates: list[float]
    losses: list[float]
    smooth: list[float]

    @property
    def lowest(self) -> float:
        """The rate at which the smoothed loss was lowest: about the largest at which training does not yet fail."""
        return self.rates[self.smooth.index(min(self.smooth))]

    @property
    def suggestion(self) -> float:
        """A tenth of `lowest`: a constant rate to begin with. The largest of a cyclic schedule may be nearer to it."""
        return self.lowest / BELOW

    def png(self) -> bytes | None:
        """Loss over the rate, with the suggestion, as a PNG; None without matplotlib."""
        if not curves.available():
            return None
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
        axes = figure.subplots()
        axes.plot(self.rates, self.losses, color=curves.TRAIN, linewidth=0.8, label="mini-batch")
        axes.plot(self.rates, self.smooth, color=curves.DEV, linewidth=1.8, label="smoothed")
        axes.axvline(self.suggestion, color=curves.QUIET, linestyle="--", label=f"suggestion {self.suggestion:.2g}")
        axes.set_xscale("log")
        axes.set_ylim(0.0, 1.3 * max(self.smooth[0], min(self.smooth)))
        axes.set_xlabel("learning rate")
        axes.set_ylabel("loss")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
        content = io.BytesIO()
        figure.savefig(content, format="png")
        return content.getvalue()

    def __repr__(self) -> str:
        return f"RangeTest({len(self.rates)} steps to lr {self.rates[-1]:.3g}; suggestion {self.suggestion:.3g})"


def lr_range_test(
    model: Any,
    data: Dataset | Splits,
    *,
    optimizer: Any = "adam",
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 200,
    batch_size: int = 64,
    loss: str | Loss = AUTO,
    device: str = "auto",
    seed: int = 0,
) -> RangeTest:
    """Train for some steps while the learning rate rises from low to high by one factor a step, and watch the loss.

    Ends early where the loss is not finite, or its average four times the lowest. The model is left as it was (on the
    device that was asked for), and the optimizer is not touched: another one of its kind and options, without state,
    takes the steps. The other arguments are those of `fit`.

    Source: Smith 2017, "Cyclical learning rates for training neural networks", section 3.3; there the rate rises in a
    line and accuracy is watched. Raises ValueError unless 0 < low < high and steps is at least 2, and as `fit` does.

    >>> import twingrad as tg
    >>> from twingrad import nn
    >>> data = tg.data.load("digits").split(seed=0)
    >>> found = lr_range_test(nn.Sequential(nn.Linear(64, 10), seed=0), data, steps=60)
    >>> 1e-4 < found.suggestion < 1
    True
    """
    checks.check_model("lr_range_test", model)
    if not 0 < number("lr_range_test: low", low) < number("lr_range_test: high", high) < math.inf:
        raise ValueError(f"lr_range_test: 0 < low < high is needed, both finite; got low={low} and high={high}")
    if integer("lr_range_test: steps", steps) < 2:
        raise ValueError(f"lr_range_test: steps must be at least 2; got {steps}")
    batch_size, seed = checks.counts(batch_size=batch_size, seed=seed)
    check_loss(loss)
    given, (train, _) = checks.make_optimizer(optimizer), checks.parts(data, None)
    twin = type(given)(lr=low, **{name: getattr(given, name) for name in given.options})
    plan = Plan(1, batch_size, seed, "last", "auto", 1, None)
    job = Job(model, twin, train, None, plan, loss)
    target = resolve(device)
    with _restored(model), computing_on(target):
        trainer = job.begin(target, (), None, Interval(None))
        twin.bind(model)
        return _risen(trainer, [low * (high / low) ** (i / (steps - 1)) for i in range(steps)])


def _risen(trainer: Trainer, rates: list[float]) -> RangeTest:
    def step(*given: Any) -> Any:
        x, target, *_ = trainer.train.fetch(*given)
        value = trainer.objective.loss(trainer.model(x), target)
        trainer.optimizer.zero_grad()
        value.backward()
        trainer.optimizer.step()
        return value

    captured, average = capture(step, fallback=True), EWA(BETA)
    losses: list[float] = []
    smooth: list[float] = []
    with mode(trainer.model, training=True):
        for rate, batch in zip(rates, _batches(trainer), strict=False):
            trainer.optimizer.lr = rate
            value = float(captured(*batch))
            if not math.isfinite(value) or average.update(value) > WORSE * min(smooth, default=math.inf):
                break
            losses.append(value)
            smooth.append(average.value)
    if not losses:
        raise ValueError(f"lr_range_test: the loss is not finite at the first mini-batch, before any update: {value}")
    return RangeTest(rates[: len(losses)], losses, smooth)


def _batches(trainer: Trainer) -> Iterator[Any]:
    """Mini-batches without end, shuffled anew each epoch."""
    epoch = 0
    while True:
        yield from trainer.train.epoch(epoch, 0)
        epoch += 1


@contextmanager
def _restored(model: Any) -> Iterator[None]:
    """After the block parameters, buffers and counters are what they were."""
    state, counters = model.state_dict(), {path: counter.value for path, counter in model.counters().items()}
    extras = {name: getattr(model, name, None) for name in ("preprocessing", "fitted_task")}
    try:
        yield
    finally:
        model.load_state_dict(state)
        for path, counter in model.counters().items():
            counter.value = counters[path]
        for name, value in extras.items():
            setattr(model, name, value)
