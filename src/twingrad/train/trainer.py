"""The training loop."""

from __future__ import annotations

import contextlib
import itertools
import signal
import time
from collections.abc import Iterator, Sequence
from typing import Any

from twingrad.nn import without_dropout
from twingrad.train import diverged
from twingrad.train.callbacks import Callback, Run
from twingrad.train.evaluate import measure
from twingrad.train.history import History, Record
from twingrad.train.interrupt import Bell, bell
from twingrad.train.metrics import WORST, Evaluation
from twingrad.train.modes import mode
from twingrad.train.objective import Objective
from twingrad.train.parts import Part
from twingrad.train.path import path_taken
from twingrad.train.placement import device_of_model
from twingrad.train.plan import Plan
from twingrad.train.running import RunningLoss
from twingrad.train.saver import Saver
from twingrad.train.stepper import Stepper


class Leave(Exception):
    """A signal has come, and no step is under way."""


class Astray(Exception):
    """The loss or the parameters are not finite; the message tells which, and when."""


class Trainer:
    """A model, its optimizer and its data, on one device, ready to run. `fit` has checked them."""

    def __init__(
        self,
        model: Any,
        optimizer: Any,
        objective: Objective,
        train: Part,
        dev: Part | None,
        plan: Plan,
        callbacks: Sequence[Callback],
        saver: Saver,
    ) -> None:
        self.model, self.optimizer, self.objective = model, optimizer, objective
        self.train, self.dev, self.plan, self.callbacks, self.saver = train, dev, plan, callbacks, saver
        self.step = Stepper(model, optimizer, objective.loss, train, plan.accumulate, plan.capture)
        self.run = Run(model, optimizer, plan.epochs, train.batches)
        self.run.history.device, self.run.history.data = device_of_model(model), train.where
        self.best: dict[str, Any] = {}
        self.lr, self.running = 0.0, RunningLoss()
        self.signal = signal.SIGINT.value

    def go(self) -> History:
        """Train from where the run stands until its end, a callback's or a signal's, and leave what is to be kept."""
        run = self.run
        begin = self.since = time.perf_counter()
        dropout = contextlib.nullcontext() if self.plan.dropout else without_dropout(self.model)
        with mode(self.model, training=True), dropout, path_taken() as said, bell() as rings:
            try:
                self._tell("on_start")
                self._epochs(rings)
                self._finite_state()
                self.saver.save(self)
            except Leave:
                run.history.interrupted = True
                with contextlib.suppress(KeyboardInterrupt):  # a second signal: what was saved before stays
                    self.saver.save(self)
            except KeyboardInterrupt:
                run.history.interrupted = True  # perhaps within a step: what was saved before stays
            except Astray as told:
                run.history.diverged = str(told)
            finally:
                self.signal = rings.number or self.signal
                self._tell("on_end")
        if self.best and (self.plan.keep == "best" or run.history.interrupted or run.history.diverged):
            self.model.load_state_dict(self.best)
        elif self.optimizer.ema is not None:
            with self._averaged():
                last = self.model.state_dict()
            self.model.load_state_dict(last)
        run.history.path, run.history.step = said[0], self.step.how
        run.history.seconds = time.perf_counter() - begin
        return run.history

    def _epochs(self, rings: Bell) -> None:
        run, every = self.run, self.plan.evaluate_every
        while run.epoch <= run.epochs and not run.stop:
            for group in self._groups():
                self._update(group)
                if every and run.step % every == 0:
                    self._evaluate()
                self._pause(rings)
                if run.stop:
                    return
            self._tell("on_epoch")
            if not every:
                self._evaluate()
            self.optimizer.end_epoch()
            run.epoch, run.batch = run.epoch + 1, 0
            self._pause(rings)
        if run.step and not run.stop and (not run.history.records or run.history[-1].step < run.step):
            self._evaluate()

    def _groups(self) -> Iterator[list[tuple[Any, ...]]]:
        """The batches of each update that is left of this epoch."""
        found = self.train.epoch(self.run.epoch - 1, self.run.batch)
        while group := list(itertools.islice(found, self.plan.accumulate)):
            yield group

    def _update(self, group: list[tuple[Any, ...]]) -> None:
        run = self.run
        self.lr = self.optimizer.rate
        losses = self.step(group)
        run.batch, run.step = run.batch + len(group), run.step + 1
        self.running.add(run.epoch, run.step, losses)
        self._refuse(self.running.strange)
        self._tell("on_step")

    def _pause(self, rings: Bell) -> None:
        """Between two steps: save where it is time, leave where a signal has come."""
        if rings.number:
            raise Leave
        if self.saver.due(self.run.step):
            self.running.read()
            self._refuse(self.running.strange)
            self._finite_state()
            self.saver.save(self)

    def _finite_state(self) -> dict[str, Any]:
        """The model's state dict; Astray where it holds NaN or infinity, even if the loss is finite."""
        state: dict[str, Any] = self.model.state_dict()
        self._refuse(diverged.told_of(state, min(self.run.epoch, self.run.epochs), self.run.step))
        return state

    def _refuse(self, told: str | None) -> None:
        if told:
            raise Astray(told)

    def _evaluate(self) -> None:
        run, epoch = self.run, min(self.run.epoch, self.run.epochs)
        with self._averaged():
            train = self._train_part()
            dev = measure(self.model, self.dev, self.objective) if self.dev else None
            now = time.perf_counter()
            record = Record(epoch, run.step, self.lr, train, dev, now - self.since)
            if record.score > (WORST if run.best < 0 else run.history[run.best].score):
                self.best, run.best = self._finite_state(), len(run.history)
        run.history.records.append(record)
        self.saver.append(record)
        for callback in self.callbacks:
            callback.on_evaluation(run, record)
        self.since = now
        self._refuse(diverged.told(record) or self.running.strange)

    def _train_part(self) -> Evaluation:
        """The train part as it is now, or what its mini-batches lost since the last evaluation."""
        running = self.running.take()
        if self.plan.train_loss == "steps":
            return Evaluation(running)
        return measure(self.model, self.train, self.objective)

    def _averaged(self) -> contextlib.AbstractContextManager[None]:
        """The average of the weights in their place, where the optimizer keeps one: it is measured and kept."""
        none = contextlib.nullcontext()
        return none if self.optimizer.ema is None else self.optimizer.averaged()

    def _tell(self, event: str) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self.run)
