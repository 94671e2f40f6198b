"""The training loop."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Sequence
from typing import Any

from twingrad import backends
from twingrad.data import Dataset, batch_bounds, batches
from twingrad.namespace import namespace_of
from twingrad.train.callbacks import Callback, Run
from twingrad.train.checks import has_batch_norm
from twingrad.train.evaluate import evaluate_arrays
from twingrad.train.history import History, Record
from twingrad.train.interrupt import Bell, bell
from twingrad.train.losses import Loss
from twingrad.train.modes import mode
from twingrad.train.path import path_taken
from twingrad.train.placement import device_of_model, place
from twingrad.train.stepper import Stepper


class Trainer:
    """A model, its optimizer and its data, on one device, ready to run. `fit` has checked them."""

    def __init__(
        self,
        model: Any,
        optimizer: Any,
        loss: Loss,
        train: Dataset,
        dev: Dataset | None,
        batch_size: int,
        seed: int,
        capture: str,
    ) -> None:
        self.model, self.optimizer, self.loss = model, optimizer, loss
        self.train, self.dev = place(model, train), None if dev is None else place(model, dev)
        self.batch_size, self.seed, self.smallest = batch_size, seed, 2 if has_batch_norm(model) else 1
        self.bounds = batch_bounds(len(train), batch_size, self.smallest)
        self.step = Stepper(model, optimizer, loss, self.bounds[0][1], capture)
        self.backend = backends.get(device_of_model(model))
        self.best: tuple[tuple[float, float], dict[str, Any]] | None = None

    def run(self, epochs: int, callbacks: Sequence[Callback], keep: str) -> History:
        """Train for so many epochs, or until a callback or Ctrl-C stops it, and leave the parameters to keep."""
        run = Run(self.model, self.optimizer, epochs, len(self.bounds))
        run.history.device = self.backend.device
        self._tell_of_a_joined_batch()
        begin = time.perf_counter()
        try:
            with mode(self.model, training=True), path_taken() as said, bell() as rings:
                self._epochs(run, callbacks, rings)
        except KeyboardInterrupt:
            run.history.interrupted = True
        finally:
            for callback in callbacks:
                callback.on_end(run)
        if self.best and (keep == "best" or run.history.interrupted):
            self.model.load_state_dict(self.best[1])
        run.history.path, run.history.step = said[0], self.step.how
        run.history.seconds = time.perf_counter() - begin
        return run.history

    def _tell_of_a_joined_batch(self) -> None:
        start, stop = self.bounds[-1]
        if stop - start > self.batch_size:
            text = (
                f"{stop} examples in mini-batches of {self.batch_size} leave one over, on which batch normalisation "
                f"cannot train: it joins the last mini-batch, of {stop - start}"
            )
            warnings.warn(text, stacklevel=4)

    def _epochs(self, run: Run, callbacks: Sequence[Callback], rings: Bell) -> None:
        for callback in callbacks:
            callback.on_start(run)
        for epoch in range(1, run.epochs + 1):
            run.epoch = epoch
            begin = time.perf_counter()
            self._epoch(run, callbacks, rings)
            record = self._measure(run, begin)
            self._keep_if_best(record)
            run.history.records.append(record)
            for callback in callbacks:
                callback.on_epoch(run, record)
            rings.check()
            if run.stop:
                return

    def _epoch(self, run: Run, callbacks: Sequence[Callback], rings: Bell) -> None:
        x, y = self.train
        xp = namespace_of(x)
        order = batches(len(y), self.batch_size, seed=self.seed, epoch=run.epoch - 1, smallest=self.smallest)
        for batch, index in enumerate(order, 1):
            run.batch = batch
            chosen = self.backend.asarray(index)
            self.step(xp.take(x, chosen, axis=0), xp.take(y, chosen, axis=0))
            for callback in callbacks:
                callback.on_batch(run)
            rings.check()

    def _measure(self, run: Run, begin: float) -> Record:
        train = evaluate_arrays(self.model, *self.train, self.loss)
        dev = evaluate_arrays(self.model, *self.dev, self.loss) if self.dev else None
        if not math.isfinite(train.loss) and all(math.isfinite(record.train_loss) for record in run.history):
            warnings.warn(f"the loss is {train.loss} after epoch {run.epoch}: lower the learning rate", stacklevel=5)
        return Record(
            epoch=run.epoch,
            train_loss=train.loss,
            train_accuracy=train.accuracy,
            dev_loss=dev.loss if dev else None,
            dev_accuracy=dev.accuracy if dev else None,
            lr=self._learning_rate(),
            seconds=time.perf_counter() - begin,
        )

    def _learning_rate(self) -> float:
        rate = self.optimizer.lr
        return float(rate(self.optimizer.steps_taken) if callable(rate) else rate)

    def _keep_if_best(self, record: Record) -> None:
        if self.best is None or record.score > self.best[0]:
            self.best = (record.score, self.model.state_dict())
