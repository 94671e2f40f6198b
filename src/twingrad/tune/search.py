"""`search`: many trials, one after another or in parallel processes, over storage that survives a kill."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twingrad.choice import choose
from twingrad.functional.checks import integer
from twingrad.train.history import History
from twingrad.train.interrupt import Interrupted, bell
from twingrad.tune.report import Report
from twingrad.tune.result import Search, Trial, trial_of
from twingrad.tune.space import Space, check_space
from twingrad.tune.store import KILLED, TRIAL, Store
from twingrad.tune.strategies import STRATEGIES, TPE, Done, Random

MOMENT = 0.2
"""So many seconds pass at most before a signal is seen."""
ATTEMPTS = 3
"""A trial whose process was killed is begun so often at most."""


def search(
    objective: Callable[[dict[str, Any], Report], float],
    space: Space,
    *,
    trials: int = 20,
    strategy: str = "random",
    maximize: bool = False,
    seed: int = 0,
    workers: int = 1,
    prune: bool = False,
    folder: str | Path | None = None,
    about: dict[str, Any] | None = None,
    callback: Callable[[Search, Trial], object] | None = None,
) -> Search:
    """Look for the best hyperparameters in so many trials.

    Args:
        objective: (values by name, report) -> the value to minimise. `report(value)` along the way lets a trial be
            pruned. One that ends with `Diverged`, or whose value is not finite, counts as worse than all others.
        space: a scale for each name, as `{"lr": LogUniform(1e-4, 1), "momentum": OneMinusLogUniform(0.9, 0.999)}`.
        trials: so many; a grid takes as many of them as give each hyperparameter the same number of values, at least
            two.
        strategy: "random"; "grid"; "coarse-to-fine", three rounds of random search, each in a box around the best so
            far that is a third as wide; or "tpe", Optuna's tree-structured Parzen estimator. The first three give the
            same trials for the same seed, however many workers there are and however often the search is killed.
        maximize: whether more is better.
        workers: so many processes, each with its share of the processor's threads; the objective is then pickled, so it
            must be a function of a module, and a script must begin under `if __name__ == "__main__"`. One that dies is
            replaced, and its trial begun anew, three times at most.
        prune: give up a trial whose best report is worse than the median of the others' at that step, after the first
            five. In parallel this depends on who came first.
        folder: where the study is kept, in Optuna's journal. Called with the same arguments, a search that was cut
            short goes on, and with more trials (not for a grid or coarse-to-fine) it goes further.
        about: what else tells this search from others, as JSON holds it: another one in the folder is refused.
        callback: called with the search so far and each trial that ends.

    Raises:
        TypeError, ValueError: a bad argument; a folder that holds another study, by what differs, or more trials.
        OSError: the folder cannot be used, or another process is at work there.
        ImportError: Optuna, of the extra `tune`, is not installed.
        Interrupted: Ctrl-C or SIGTERM (a KeyboardInterrupt); called again with its folder, the search goes on.
        Whatever else the objective raises: the trial counts as failed, and is begun anew when the search goes on.

    >>> from twingrad.tune import LogUniform, search
    >>> found = search(lambda values, report: (values["lr"] - 0.01) ** 2, {"lr": LogUniform(1e-4, 1)}, trials=30)
    >>> 0.005 < found.best.values["lr"] < 0.02
    True
    """
    if not callable(objective):
        raise TypeError(f"search: objective must be a function (values, report) -> value; got {objective!r}")
    space = check_space(space)
    trials, seed, workers = _counts(trials=trials, seed=seed, workers=workers)
    choose("strategy", strategy, [*STRATEGIES, TPE])
    plan = STRATEGIES.get(strategy, Random)(space, trials, seed)
    told = {"strategy": strategy, "maximize": bool(maximize), "prune": bool(prune), "seed": seed}
    told |= {"space": {name: scale.to_dict() for name, scale in space.items()}, "about": about}
    told |= {} if type(plan) is Random else {"trials": plan.trials}
    store = Store(folder, told, space, prune)
    try:
        desk = Desk(store, plan, strategy == TPE, bool(maximize), callback)
        if workers == 1:
            _serial(desk, objective)
        else:
            _parallel(desk, objective, min(workers, plan.trials))
        return desk.so_far()
    finally:
        store.close()


class Desk:
    """Hands out the trials, and takes what they came to."""

    def __init__(
        self, store: Store, plan: Random, by_sampler: bool, maximize: bool, callback: Callable[..., object] | None
    ) -> None:
        self.store, self.plan, self.by_sampler, self.callback = store, plan, by_sampler, callback
        self.maximize = maximize
        self.running: dict[int, Any] = {}
        self.ended = {trial.index for trial in self.so_far() if trial.state in ("complete", "pruned", "diverged")}
        if self.ended and plan.trials <= max(self.ended):
            raise ValueError(
                f"search: trials must be at least the {max(self.ended) + 1} of the search that goes on; "
                f"got {plan.trials}"
            )

    def so_far(self) -> Search:
        """The trials that have ended."""
        ended = [trial for each in self.store.trials() if (trial := trial_of(each)).state != "running"]
        return Search(self.store.study, self.store.space, ended, self.maximize, self.plan.even)

    def next(self) -> tuple[int, dict[str, Any]] | None:
        """Begin a trial: its index and values; None where there is none to begin now."""
        index = next((i for i in range(self.plan.trials) if i not in self.ended and i not in self.running), None)
        if index is None or not set(range(self.plan.needs(index))) <= self.ended:
            return None
        values = None if self.by_sampler else self.plan.point(index, self._done(self.plan.needs(index)))
        self.running[index] = self.store.begin(index, values)
        return index, self.running[index].user_attrs[TRIAL]["values"]

    @property
    def over(self) -> bool:
        """Whether all trials have ended."""
        return len(self.ended) >= self.plan.trials

    def report(self, index: int, value: float, step: int) -> bool:
        """Take what a running trial reports; whether it is to be given up."""
        if not math.isfinite(value):
            return False
        self.running[index].report(value, step)
        return bool(self.running[index].should_prune())

    def finish(self, index: int, value: float | None, reason: str, seconds: float) -> None:
        """A trial has ended: with a value, or for this reason without."""
        self.store.finish(self.running.pop(index), value, reason, seconds)
        if reason != KILLED or self.store.attempts(index) >= ATTEMPTS:
            self.ended.add(index)
        if self.callback is not None:
            found = self.so_far()
            self.callback(found, found.trial(index))

    def fail(self, index: int, reason: str) -> None:
        """A trial raised something, which ends the search; it is begun anew when that goes on."""
        self.store.finish(self.running.pop(index), None, reason, 0.0)

    def _done(self, count: int) -> list[Done]:
        sign = -1.0 if self.maximize else 1.0
        found = [trial for trial in self.so_far() if trial.index < count]
        return [Done(t.values, math.inf if t.value is None else sign * t.value) for t in found]


def _serial(desk: Desk, objective: Callable[..., float]) -> None:
    from twingrad.tune.workers import outcome_of

    while (given := desk.next()) is not None:
        index, values = given
        report = Report(index, lambda value, step, index=index: desk.report(index, value, step))  # type: ignore[misc]
        try:
            outcome = outcome_of(objective, dict(values), report)
        except Exception as error:
            desk.fail(index, f"{type(error).__name__}: {error}")
            raise
        desk.finish(index, *outcome)


def _parallel(desk: Desk, objective: Callable[..., float], count: int) -> None:
    from twingrad.tune.workers import Worker

    threads = max(1, len(os.sched_getaffinity(0)) // count) if hasattr(os, "sched_getaffinity") else 1
    pool: list[Any] = []
    with bell() as rings:
        try:
            while not desk.over:
                pool += [Worker(objective, threads) for _ in range(count - len(pool))]
                for worker in pool:
                    if worker.index is None and (given := desk.next()) is not None:
                        worker.give(*given)
                for worker in _ready(pool):
                    if not _hear(desk, worker):
                        pool.remove(worker)
                if rings.number:
                    raise Interrupted(f"interrupted after {len(desk.ended)} trials", History(), rings.number)
        finally:
            for worker in pool:
                worker.stop()


def _ready(pool: Sequence[Any]) -> list[Any]:
    """The workers that have something to say, or have died; none where a moment passes without."""
    from multiprocessing.connection import wait

    heard = wait([worker.here for worker in pool], timeout=MOMENT)
    return [worker for worker in pool if worker.here in heard]


def _hear(desk: Desk, worker: Any) -> bool:
    """Take what a worker says; False where it has died."""
    try:
        kind, content = worker.here.recv()
    except (EOFError, OSError):
        worker.stop()
        if worker.index is not None:
            desk.finish(worker.index, None, KILLED, 0.0)
        return False
    if kind == "report":
        worker.tell(desk.report(worker.index, *content))
    elif kind == "done":
        index, worker.index = worker.index, None
        desk.finish(index, *content)
    else:
        error, trace = content
        desk.fail(worker.index, trace.strip().splitlines()[-1])
        raise error if error is not None else RuntimeError(f"a trial failed in its process:\n{trace}")
    return True


def _counts(**given: Any) -> list[int]:
    least = {"trials": 1, "workers": 1, "seed": 0}
    for name, value in given.items():
        if integer(f"search: {name}", value) < least[name]:
            raise ValueError(f"search: {name} must be at least {least[name]}; got {value}")
    return [int(value) for value in given.values()]
