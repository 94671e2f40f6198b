"""Several models as one: independent ones, or snapshots of one run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from twingrad import nn
from twingrad.choice import choose
from twingrad.data import TASKS
from twingrad.functional.checks import integer
from twingrad.functional.reduction import plain
from twingrad.namespace import Array, namespace_of
from twingrad.nn.copies import copied
from twingrad.train.callbacks import Callback, Run
from twingrad.train.predict import task_of


class Ensemble(nn.Module):
    """Models that answer together: the mean of their probabilities, for a regression of their outputs.

        p(k | x) = (1/M) sum_m p_m(k | x)       returned as logits: log p, or log p - log(1 - p) for a sigmoid

    `tg.train.evaluate` and `predict` take it as any model, and softmax or sigmoid of what it returns is p.
    models: from one input to outputs of one shape, (N, C); copies of them are held, so that they may go on training.
    task: one of `tg.data.TASKS`; by default theirs, as `fit` left it.

    Raises ValueError for no models, and for models of different tasks or preprocessings.

    >>> import numpy as np
    >>> members = [nn.Sequential(nn.Linear(2, 3), seed=seed) for seed in range(5)]
    >>> Ensemble(members)(np.ones((4, 2), np.float32)).shape
    (4, 3)
    """

    def __init__(self, models: Sequence[nn.Module], *, task: str | None = None) -> None:
        members = [] if isinstance(models, nn.Module) else list(models)
        if not members or not all(isinstance(member, nn.Module) for member in members):
            raise ValueError(f"Ensemble takes a list of at least one model, each a Module; got {models}")
        tasks = {task_of(member) for member in members} if task is None else {choose("task", task, TASKS)}
        scales = [getattr(member, "preprocessing", None) for member in members]
        if len(tasks) > 1 or any(_told(scale) != _told(scales[0]) for scale in scales):
            what = f"the tasks {', '.join(sorted(tasks))}" if len(tasks) > 1 else "different preprocessings"
            raise ValueError(f"Ensemble takes models of one task and preprocessing; these have {what}")
        self.preprocessing, self.fitted_task = scales[0], tasks.pop()
        self.takes_integers = members[0].takes_integers
        for number, member in enumerate(members):
            setattr(self, str(number), copied(member))

    def __iter__(self) -> Iterator[nn.Module]:
        return iter(self._modules.values())

    def __len__(self) -> int:
        return len(self._modules)

    def forward(self, x: Array) -> Array:
        """x: what each member takes -> (N, C), logits of the mean probabilities, or mean outputs."""
        found = [member(x) for member in self]
        xp = namespace_of(*found)
        outputs = xp.stack(found, axis=0)
        if self.fitted_task == "regression":
            return xp.mean(outputs, axis=0)
        if self.fitted_task == "multi-label" or outputs.shape[-1] == 1:
            zero = xp.zeros_like(outputs)
            return _log_mean_exp(-xp.logaddexp(zero, -outputs)) - _log_mean_exp(-xp.logaddexp(zero, outputs))
        return _log_mean_exp(outputs - _log_sum_exp(outputs, -1))

    def describe(self) -> str:
        return f"Ensemble of {len(self)}"


class Snapshots(Callback):
    """Keeps the weights at the end of every `every`-th epoch: of each cycle of a cyclic learning rate one model.

    `ensemble` makes one model of them, for the cost of one run. The learning rate is best lowest at the end of a cycle:
    `optim.schedules.CosineRestarts(lr, length=every * batches)`. A run that is cut short and resumed has them all.
    Source: Huang et al. 2017, "Snapshot ensembles: train 1, get M for free".

    >>> Snapshots(5)
    Snapshots(5)
    """

    def __init__(self, every: int) -> None:
        self.every = integer("Snapshots: every", every)
        if self.every < 1:
            raise ValueError(f"Snapshots: every is a number of epochs from 1; got {every!r}")
        self.states: dict[int, dict[str, Any]] = {}

    def on_epoch(self, run: Run) -> None:
        """Keep the weights, where a cycle ends."""
        if run.epoch % self.every == 0:
            self.states[run.epoch] = run.model.state_dict()

    def models(self, model: nn.Module) -> list[nn.Module]:
        """The snapshots in their order, each a copy of `model`, the one that was trained, with its weights."""
        found = []
        for state in self.states.values():
            found.append(copied(model))
            found[-1].load_state_dict(state)
        return found

    def ensemble(self, model: nn.Module, last: int | None = None) -> Ensemble:
        """The ensemble of the snapshots, or of the `last` ones; ValueError where there are not so many."""
        found = self.models(model)
        if not 1 <= (1 if last is None else last) <= len(found):
            raise ValueError(f"Snapshots({self.every}) holds {len(found)} models; got last={last}")
        return Ensemble(found[-last:] if last else found)

    def state(self) -> Any:
        """See `Callback`."""
        return {str(epoch): state for epoch, state in self.states.items()}

    def restore(self, state: Any) -> None:
        """See `Callback`."""
        self.states = {int(epoch): arrays for epoch, arrays in state.items()}

    def __repr__(self) -> str:
        return f"Snapshots({self.every})"


def _told(preprocessing: Any) -> Any:
    return None if preprocessing is None else preprocessing.to_dict()


def _log_sum_exp(x: Array, axis: int) -> Array:
    """log sum exp(x) along an axis, which stays."""
    xp, raw = namespace_of(x), plain(x)
    largest = namespace_of(raw).max(raw, axis=axis, keepdims=True)
    return xp.log(xp.sum(xp.exp(x - largest), axis=axis, keepdims=True)) + largest


def _log_mean_exp(x: Array) -> Array:
    """log mean exp(x) over the members, the first axis, which goes."""
    xp = namespace_of(x)
    return xp.squeeze(_log_sum_exp(x - math.log(x.shape[0]), 0), axis=0)
