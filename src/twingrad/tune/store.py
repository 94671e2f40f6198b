"""Where a search is kept: an Optuna study, in memory or in a folder. Optuna is imported only here and in `result`.

One process writes: the one that hands out the trials. So no trial is counted twice, and a kill leaves at most a torn
last line of the journal, which is cut off, and trials that were running, which are handed out again.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twingrad.train.checkpoint import differences
from twingrad.train.lock import FolderLock
from twingrad.tune.scales import Scale
from twingrad.tune.strategies import TPE

JOURNAL = "study.journal"
NAME = "twingrad"
INSTALL = "tuning needs Optuna: pip install 'twingrad[tune]'"
TRIAL = "trial"
"""The attribute of Optuna's trials that holds ours: its index and its values."""
KILLED = "its process was killed"
PRUNED, DIVERGED = "pruned", "diverged"


@contextmanager
def quiet_optuna() -> Iterator[Any]:
    """Optuna, without its log lines below warnings and without its notes about experiments; ImportError without it."""
    try:
        import optuna
    except ImportError as error:
        raise ImportError(INSTALL) from error
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield optuna
    finally:
        optuna.logging.set_verbosity(before)


class Store:
    """A study and what it holds; `about` tells which search it is of.

    folder: None for memory alone; else made, and locked until `close`.

    Raises:
        OSError: the folder cannot be used, or another process is at work there.
        ValueError: it holds another search; the message tells what differs.
    """

    def __init__(self, folder: str | Path | None, about: dict[str, Any], space: dict[str, Scale], prune: bool) -> None:
        self.space, self.folder = space, None if folder is None else Path(folder)
        self._lock: FolderLock | None = None
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = FolderLock(self.folder)
            self._lock.acquire()
        try:
            with quiet_optuna() as optuna:
                self.study = self._open(optuna, about, prune)
                self._check(about)
                self._give_up_running(optuna)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let other processes in."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def begin(self, index: int, values: dict[str, Any] | None) -> Any:
        """A new trial with these values, or with those of Optuna's sampler; it counts as running from now on."""
        with quiet_optuna() as optuna:
            if values is not None:
                inner = {self.space[name].label(name): self.space[name].inner(value) for name, value in values.items()}
                self.study.sampler = optuna.samplers.PartialFixedSampler(inner, optuna.samplers.RandomSampler())
            trial = self.study.ask({scale.label(name): scale.distribution() for name, scale in self.space.items()})
            given = self.values_of(trial.params) if values is None else values
            trial.set_user_attr(TRIAL, {"index": index, "values": given})  # one line of the journal: whole or not there
            return trial

    def finish(self, trial: Any, value: float | None, reason: str, seconds: float) -> None:
        """What a trial came to: a value; or why there is none, "pruned", "diverged" or an error."""
        with quiet_optuna() as optuna:
            state = optuna.trial.TrialState
            trial.set_user_attr("seconds", round(seconds, 3))
            if reason:
                trial.set_user_attr("reason", reason)
            if value is not None:
                self.study.tell(trial, value)
            else:
                self.study.tell(trial, state=state.PRUNED if reason in (PRUNED, DIVERGED) else state.FAIL)

    def values_of(self, params: dict[str, Any]) -> dict[str, Any]:
        """The hyperparameters' values of what Optuna holds."""
        return {name: scale.outer(params[scale.label(name)]) for name, scale in self.space.items()}

    def trials(self) -> list[Any]:
        """Optuna's frozen trials that have an index, the last attempt of each, in the order of their indices."""
        last = {each.user_attrs[TRIAL]["index"]: each for each in self.study.trials if TRIAL in each.user_attrs}
        return [last[index] for index in sorted(last)]

    def attempts(self, index: int) -> int:
        """How often a trial was begun."""
        return sum(each.user_attrs.get(TRIAL, {}).get("index") == index for each in self.study.trials)

    def _open(self, optuna: Any, about: dict[str, Any], prune: bool) -> Any:
        storage = None
        if self.folder is not None:
            file = self.folder / JOURNAL
            _cut_torn_line(file)
            journal = optuna.storages.journal.JournalFileBackend(str(file), Held())
            storage = optuna.storages.JournalStorage(journal)
        pruner = optuna.pruners.MedianPruner(n_startup_trials=5) if prune else optuna.pruners.NopPruner()
        sampler = optuna.samplers.TPESampler(seed=about["seed"]) if about["strategy"] == TPE else None
        options = {"study_name": NAME, "load_if_exists": True}
        direction = "maximize" if about["maximize"] else "minimize"
        return optuna.create_study(storage=storage, pruner=pruner, sampler=sampler, direction=direction, **options)

    def _check(self, about: dict[str, Any]) -> None:
        about = json.loads(json.dumps(about))
        there = self.study.user_attrs.get("about")
        if there is None:
            self.study.set_user_attr("about", about)
        elif told := differences(there, about):
            raise ValueError(
                f"{self.folder} holds another study: {'; '.join(told)}; go on with what it was begun with, or name a "
                "new folder"
            )

    def _give_up_running(self, optuna: Any) -> None:
        """Trials that a killed process left: they count as failed, and are begun anew."""
        for each in self.study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
            self.study.tell(each.number, state=optuna.trial.TrialState.FAIL)


def _cut_torn_line(file: Path) -> None:
    """A kill while a line was written leaves a part of it, after which Optuna could not go on.

    Raises:
        ValueError: a whole line is none of a journal.
    """
    content = file.read_bytes() if file.exists() else b""
    whole = content.rfind(b"\n") + 1
    for number, line in enumerate(content[:whole].splitlines(), 1):
        if not line.startswith(b'{"op_code":'):
            raise ValueError(f"{file} is no journal of Optuna's, by its line {number}; name a new folder")
    if whole < len(content):
        with file.open("r+b") as stream:
            stream.truncate(whole)


class Held:
    """A lock for Optuna's journal that is always had: the folder's own keeps other processes out."""

    def acquire(self) -> bool:
        """Nothing to do."""
        return True

    def release(self) -> None:
        """Nothing to do."""
