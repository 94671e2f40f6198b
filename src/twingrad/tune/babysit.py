"""One model, watched while it learns: pause, change a hyperparameter, go on; or go back."""

from __future__ import annotations

import dataclasses
from typing import Any

from twingrad.data import Dataset, Splits
from twingrad.devices import resolve
from twingrad.train import checks
from twingrad.train.callbacks import as_callbacks
from twingrad.train.checkpoint import Checkpoint
from twingrad.train.diverged import Diverged, cures
from twingrad.train.history import History
from twingrad.train.interrupt import Interrupted
from twingrad.train.interval import Interval
from twingrad.train.job import Job
from twingrad.train.losses import AUTO, Loss, check_loss
from twingrad.train.plan import Plan
from twingrad.train.saver import put_back
from twingrad.train.trainer import Trainer
from twingrad.tune.result import shown


class Babysit:
    """A run of `fit` that stops after each `go`, so that what it came to can be looked at, and changed.

    model, data, optimizer, batch_size, loss, preprocessing, device, seed, callbacks: as of `tg.fit`. Without a change,
    several `go`s give the bits of one `fit(..., keep="last")` over all their epochs. log: what was done, by lines.

    >>> import twingrad as tg
    >>> from twingrad import nn, optim
    >>> data = tg.data.load("digits").split(seed=0)
    >>> run = Babysit(nn.Sequential(nn.Linear(64, 10), seed=0), data, optimizer=optim.Adam(lr=0.3), device="cpu")
    >>> history = run.go(2)
    >>> run.set(lr=0.01)
    >>> len(run.go(2)), run.optimizer.lr
    (4, 0.01)
    >>> run.back()
    >>> len(run.history)
    2
    """

    def __init__(
        self,
        model: Any,
        data: Dataset | Splits,
        *,
        optimizer: Any = "adam",
        batch_size: int = 64,
        loss: str | Loss = AUTO,
        preprocessing: Any = None,
        device: str = "auto",
        seed: int = 0,
        callbacks: Any = (),
    ) -> None:
        checks.check_model("Babysit", model)
        batch_size, seed = checks.counts(batch_size=batch_size, seed=seed)
        check_loss(loss)
        self.model, self.optimizer, self._loss, self._seed = model, checks.make_optimizer(optimizer), loss, seed
        if self.optimizer.ema is not None:
            raise ValueError(
                "Babysit goes on from the weights themselves, not from their average: make the optimizer without ema"
            )
        self._train, self._dev = checks.parts(data, None)
        self._told = as_callbacks(callbacks)
        self._device, self._preprocessing = device, preprocessing
        self.batch_size = batch_size
        self.log: list[str] = []
        self._before: list[tuple[int, Checkpoint]] = []
        self._trainer = self._begin(batch_size)

    @property
    def history(self) -> History:
        """The records so far."""
        return self._trainer.run.history

    def go(self, epochs: int = 1) -> History:
        """Train so many epochs; the history of all so far. Raises `Diverged`, after which `back` helps."""
        (epochs,) = checks.counts(epochs=epochs)
        self._before.append((self.batch_size, self._now()))
        run = self._trainer.run
        run.epochs, run.stop = run.epoch - 1 + epochs, False
        run.history.diverged, run.history.interrupted = "", False
        history = self._trainer.go()
        if history.diverged:
            self.log.append(f"epoch {run.epoch}: {history.diverged}")
            advice = cures(self._trainer.lr, self.optimizer.clip_norm is not None)
            raise Diverged(f"training diverged: {history.diverged}; {advice}; back() goes back", history)
        if history.interrupted:
            raise Interrupted(f"interrupted in epoch {run.epoch}: back() goes back", history, self._trainer.signal)
        self.log.append(f"{history[-1]}, loss {history[-1].train_loss:.4f}" if len(history) else "nothing trained")
        return history

    def set(self, **changes: Any) -> None:
        """Change hyperparameters from here on: batch_size, lr, or any other that the optimizer was made with.

        Moments and step numbers stay. Raises ValueError or TypeError, and changes nothing, for an unknown name or a
        value out of range.
        """
        asked = {"batch_size": self.batch_size} | changes
        (size,) = checks.counts(batch_size=asked.pop("batch_size"))
        options = {name: getattr(self.optimizer, name) for name in ("lr", *self.optimizer.options)}
        for name in asked:
            if name not in options:
                raise ValueError(f"Babysit: no hyperparameter {name!r}; there are batch_size, {', '.join(options)}")
        type(self.optimizer)(**options | asked)  # checks them
        trainer = self._trainer if size == self.batch_size else self._begin(size)
        state = self.optimizer.state_dict()
        state["hyperparameters"] |= {name: value for name, value in asked.items() if name != "lr"}
        now = self._now()
        self.optimizer.load_state_dict(state)
        self.optimizer.lr = asked.get("lr", options["lr"])
        if trainer is not self._trainer:
            put_back(trainer, dataclasses.replace(now, optimizer=self.optimizer.state_dict()))
        before, after = options | {"batch_size": self.batch_size}, asked | {"batch_size": size}
        changed = [name for name, value in after.items() if before[name] != value]
        told = [f"{name} {shown(before[name])} -> {shown(after[name])}" for name in changed]
        self._trainer, self.batch_size = trainer, size
        self.log.append(f"after epoch {trainer.run.epoch - 1}: {', '.join(told) or 'no change'}")

    def back(self) -> None:
        """To where the last `go` began: weights, optimizer, random counters and history; again and again."""
        if not self._before:
            raise ValueError("Babysit: there is nothing to go back to")
        size, state = self._before.pop()
        if size != self.batch_size:
            self._trainer, self.batch_size = self._begin(size), size
        put_back(self._trainer, state)
        self.log.append(f"back to the end of epoch {self._trainer.run.epoch - 1}")

    def _now(self) -> Checkpoint:
        found = self._trainer.saver.take(self._trainer)
        return dataclasses.replace(found, records=list(found.records))

    def _begin(self, batch_size: int) -> Trainer:
        plan = Plan(0, batch_size, self._seed, "last", "auto", 1, None)
        job = Job(self.model, self.optimizer, self._train, self._dev, plan, self._loss, self._preprocessing)
        device = resolve(self._device)
        self.optimizer.bind(self.model)
        return job.begin(device, self._told, None, Interval(None))
