"""From the arguments of `fit` to a trainer that is ready to run."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from typing import Any

from twingrad.data import BatchSource, Dataset, Preprocessing, batch_bounds
from twingrad.data.augmenting import Augment
from twingrad.train import checks
from twingrad.train.callbacks import Callback
from twingrad.train.configuration import configuration
from twingrad.train.evaluate import aligned
from twingrad.train.interval import Interval
from twingrad.train.losses import Loss
from twingrad.train.objective import make_objective
from twingrad.train.parts import DECIDES, Order, part_of
from twingrad.train.placement import check_outputs, check_targets, lies_on, outputs_of, placed
from twingrad.train.plan import Plan
from twingrad.train.residence import Reading
from twingrad.train.run_folder import RunFolder
from twingrad.train.saver import Saver
from twingrad.train.trainer import Trainer


class Job:
    """A run that suits its data, checked as far as it can be without touching model, device or disk."""

    def __init__(
        self,
        model: Any,
        optimizer: Any,
        train: Dataset | BatchSource,
        dev: Dataset | None,
        plan: Plan,
        loss: str | Loss,
        preprocessing: str | Preprocessing | None = None,
        class_weight: Any = None,
        example_weight: Any = None,
        reading: Reading = DECIDES,
        augment: Augment | None = None,
    ) -> None:
        self.model, self.optimizer, self.plan, self.loss = model, optimizer, plan, loss
        self.example_weight, self.reading = example_weight, reading
        self.augment = checks.check_augment(augment, train)
        self.preprocessing = _preprocessing(model, preprocessing, train)
        checks.check_input(model, self.preprocessing)
        self.train = aligned(train, self.preprocessing) if isinstance(train, Dataset) else train
        self.dev = None if dev is None else aligned(dev, self.preprocessing)
        self.task = checks.task_of(self.train, self.dev)
        self.outputs = self._outputs()
        if isinstance(self.train, BatchSource) and not callable(loss):
            self.train = self.train.checking(functools.partial(check_targets, self.task, self.outputs))
        self.class_weight = checks.class_weights(class_weight, self.train, self.task, self.outputs)
        checks.check_batch_size(model, plan.batch_size, train)
        make_objective(
            self.task, self.outputs, loss, label_smoothing=plan.label_smoothing
        )  # refuses what does not suit
        self.title = train.name if isinstance(train, Dataset) else "batches"

    def _outputs(self) -> int:
        known = [part for part in (self.train, self.dev) if isinstance(part, Dataset)]
        if not known and isinstance(self.train, BatchSource):
            with self.train.epoch(0, prefetch=0) as found:
                x, y, *_ = next(found)
            known = [Dataset(x, y, task=self.task)]
        for part in known:
            outputs = outputs_of(self.model, part, self.preprocessing)
            check_outputs(part, outputs)
        return outputs

    def begin(self, device: str, callbacks: Sequence[Callback], folder: RunFolder | None, every: Interval) -> Trainer:
        """Move the model and the data to the device; the trainer stands where the folder's run stood."""
        model = self.model if lies_on(self.model, device) else self.model.to(device)
        model.preprocessing, model.fitted_task = self.preprocessing, self.task
        weight = None if self.class_weight is None else placed(model, self.class_weight)
        objective = make_objective(
            self.task, self.outputs, self.loss, self.preprocessing, weight, self.plan.label_smoothing
        )
        order = Order(self.plan.batch_size, self.plan.seed, 2 if checks.has_batch_norm(model) else 1)
        train = part_of(model, objective, self.train, order, self.example_weight, self.reading, self.augment)
        dev = None if self.dev is None else part_of(model, objective, self.dev, order, None, self.reading)
        self._tell_of_a_joined_batch(order)
        about = functools.partial(
            configuration,
            model,
            self.optimizer,
            objective,
            self.plan,
            {"train": self.train, "dev": self.dev},
            {"class": self.class_weight, "example": self.example_weight},
            callbacks,
            self.augment,
        )
        self._name_the_epoch(train.batches)
        if folder:
            self.optimizer.state_dict()  # an optimizer of the user's own that cannot give it is refused now
        saver = Saver(folder, every, about)
        trainer = Trainer(model, self.optimizer, objective, train, dev, self.plan, callbacks, saver)
        saver.go_on(trainer)
        return trainer

    def _name_the_epoch(self, batches: int | None) -> None:
        """Tell a schedule how many updates make an epoch; where only its end tells, each is endless until then."""
        self.optimizer.count_epochs(2**31 if batches is None else -(-batches // self.plan.accumulate))

    def _tell_of_a_joined_batch(self, order: Order) -> None:
        if not isinstance(self.train, Dataset):
            return
        start, stop = batch_bounds(len(self.train), order.batch_size, order.smallest)[-1]
        if stop - start > order.batch_size:
            text = (
                f"{stop} examples in mini-batches of {order.batch_size} leave one over, on which batch normalisation "
                f"cannot train: it joins the last mini-batch, of {stop - start}"
            )
            warnings.warn(text, stacklevel=4)


def _preprocessing(model: Any, asked: Any, train: Any) -> Preprocessing | None:
    if asked is None:
        found: Preprocessing | None = getattr(model, "preprocessing", None)
        return found
    if isinstance(asked, Preprocessing):
        return asked
    if asked != "auto" or not isinstance(train, Dataset):
        raise ValueError(f'fit: preprocessing must be "auto" (for a Dataset), a Preprocessing or None; got {asked!r}')
    return Preprocessing.fit(train)
