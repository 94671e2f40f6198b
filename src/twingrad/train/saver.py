"""Writes a run's checkpoints while it goes on, and takes the run back to one."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twingrad.train.checkpoint import LAST, Checkpoint, differences
from twingrad.train.history import Record
from twingrad.train.interval import Interval
from twingrad.train.model_file import BEST, model_bytes
from twingrad.train.run_folder import HISTORY, RunFolder

if TYPE_CHECKING:
    from twingrad.train.trainer import Trainer


class Saver:
    """What `fit` does with its folder; nothing where there is none.

    every: how often `due` says so. configuration: gives what the run was asked for; only asked where there is a folder.
    """

    def __init__(self, folder: RunFolder | None, every: Interval, configuration: Callable[[], dict[str, Any]]) -> None:
        self.folder, self.every = folder, every
        self.configuration = configuration() if folder else {}
        self._best = -1

    def due(self, step: int) -> bool:
        """Whether a checkpoint is to be written after so many steps."""
        return self.folder is not None and self.every.due(step)

    def append(self, record: Record) -> None:
        """Write down an evaluation."""
        if self.folder is not None:
            self.folder.append(record)

    def save(self, trainer: Trainer) -> None:
        """Write the best model, if it is a new one, and the checkpoint."""
        if self.folder is None:
            return
        if trainer.run.best != self._best:
            self.folder.write(BEST, model_bytes(trainer.model, trainer.best))
            self._best = trainer.run.best
        self.folder.write(LAST, self.take(trainer).to_bytes())
        self.every.restart()

    def take(self, trainer: Trainer) -> Checkpoint:
        """The run as it is now."""
        run, model = trainer.run, trainer.model
        states = [(type(callback).__qualname__, callback.state()) for callback in trainer.callbacks]
        return Checkpoint(
            configuration=self.configuration,
            epoch=run.epoch,
            batch=run.batch,
            step=run.step,
            stopped=run.stop,
            lr=trainer.lr,
            running=trainer.running.state(),
            counters={name: counter.value for name, counter in model.counters().items()},
            model=model.state_dict(),
            optimizer=trainer.optimizer.state_dict(),
            best=trainer.best,
            callbacks=[[name, state] for name, state in states if state is not None],
            records=run.history.records,
        )

    def go_on(self, trainer: Trainer) -> None:
        """Take a new trainer to the folder's last checkpoint; to the beginning, where it has none yet.

        Raises:
            ValueError: the checkpoint is damaged, or that of another configuration (names what differs).
        """
        if self.folder is None or not self.folder.resume:
            return
        found = self.folder.checkpoint()
        if found is not None:
            self._check(found)
            put_back(trainer, found)
        self.folder.write_config()
        self.folder.write(HISTORY, trainer.run.history.to_jsonl().encode())

    def _check(self, found: Checkpoint) -> None:
        there, here = found.configuration | {"device": self.configuration["device"]}, self.configuration
        if found.configuration["device"] != here["device"]:
            warnings.warn(
                f"the run was on {found.configuration['device']} and goes on on {here['device']}: its state is the "
                "same to the bit, what follows agrees as far as the arithmetic of the two does",
                stacklevel=5,
            )
        before, asked = there["training"]["epochs"], here["training"]["epochs"]
        if asked < before:
            raise ValueError(f"fit: epochs must be at least the {before} of the run that goes on; got {asked}")
        if there["data"] != here["data"]:
            there = there | {"preprocessing": here["preprocessing"]}  # is fitted on the data: its changes follow theirs
        there = there | {"training": there["training"] | {"epochs": asked}}
        told = differences(there, here)
        if asked > before and told and not differences(_of_any_length(there), _of_any_length(here)):
            raise ValueError(
                f"fit: the learning rate's schedule is laid out over all {before} epochs of the run, which therefore "
                f"cannot be extended to {asked}: begin a run of {asked} epochs in a new folder; a schedule that does "
                "not end with the run, as a constant rate, can be extended"
            )
        if told and self.folder is not None:
            raise ValueError(
                f"{self.folder.path / LAST} is the checkpoint of another configuration: {'; '.join(told)}; "
                "go on with what it was begun with, or begin a run in a new folder"
            )


def _of_any_length(configuration: dict[str, Any]) -> dict[str, Any]:
    """The configuration, but for how long its learning rate's schedule is, and those within that schedule."""

    def without(schedule: Any) -> Any:
        if not isinstance(schedule, dict):
            return schedule
        return {name: without(value) for name, value in schedule.items() if name != "length"}

    optimizer = configuration["optimizer"]
    return configuration | {"optimizer": optimizer | {"lr": without(optimizer.get("lr"))}}


def put_back(trainer: Trainer, found: Checkpoint) -> None:
    """Make the trainer's model, optimizer, callbacks and position those of the checkpoint."""
    run, model = trainer.run, trainer.model
    model.load_state_dict(found.model)
    for name, counter in model.counters().items():
        counter.value = found.counters[name]
    trainer.optimizer.load_state_dict(found.optimizer)
    trainer.best = found.best
    states = list(found.callbacks)
    for callback in trainer.callbacks:
        if states and states[0][0] == type(callback).__qualname__ and callback.state() is not None:
            callback.restore(states.pop(0)[1])
    trainer.lr = found.lr
    trainer.running.restore(found.running)
    run.epoch, run.batch, run.step, run.stop = found.epoch, found.batch, found.step, found.stopped
    run.history = dataclasses.replace(run.history, records=found.records)
    best = run.history.best
    run.best = -1 if best is None else found.records.index(best)
