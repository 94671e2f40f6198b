"""Loss and metrics of a model on a data set."""

from __future__ import annotations

from typing import Any

from twingrad.autodiff import no_grad
from twingrad.data import Dataset
from twingrad.devices import computing_on
from twingrad.functional.checks import integer
from twingrad.train.checks import check_model
from twingrad.train.losses import AUTO, Loss, check_loss
from twingrad.train.metrics import Evaluation
from twingrad.train.modes import mode
from twingrad.train.objective import Objective, make_objective
from twingrad.train.parts import Order, Part, part_of
from twingrad.train.placement import check_outputs, device_of_model, outputs_of

CHUNK = 1024


def evaluate(model: Any, data: Dataset, *, loss: str | Loss = AUTO, batch_size: int = CHUNK) -> Evaluation:
    """Loss and metrics of `model` on `data`: in evaluation mode, in batches, recording nothing.

    A model with a preprocessing (`model.preprocessing`, from `fit` or a model file) takes raw data. The model is left
    in the mode in which it came; losses and hits are summed in Python numbers.

    Raises:
        TypeError: the data are no Dataset.
        ValueError: no examples, features or targets that do not suit the model, a batch size below 1.
    """
    check_model("evaluate", model)
    if integer("evaluate: batch_size", batch_size) < 1:
        raise ValueError(f"evaluate: batch_size must be at least 1; got {batch_size}")
    check_loss(loss)
    if not isinstance(data, Dataset):
        raise TypeError(f"evaluate: data must be a Dataset, such as tg.data.Dataset(x, y); got {type(data).__name__}")
    preprocessing = getattr(model, "preprocessing", None)
    data = aligned(data, preprocessing)
    with computing_on(device_of_model(model)):
        outputs = outputs_of(model, data, preprocessing)
        check_outputs(data, outputs)
        objective = make_objective(data.task, outputs, loss, preprocessing)
        return measure(model, part_of(model, objective, data, Order(batch_size)), objective, batch_size)


def aligned(data: Dataset, preprocessing: Any) -> Dataset:
    """`data` with the model's numbers for its classes, and the model's task."""
    if preprocessing is None or (preprocessing.task, preprocessing.classes) == (data.task, tuple(data.classes)):
        return data
    y = data.y if preprocessing.task == "regression" == data.task else preprocessing.targets(data)
    return Dataset(
        data.x,
        y,
        preprocessing.classes,
        data.name,
        preprocessing.task,
        feature_names=data.feature_names,
        target_names=data.target_names,
    )


def measure(model: Any, part: Part, objective: Objective, batch_size: int = CHUNK) -> Evaluation:
    """`evaluate` on a part of a run."""
    total, n, meter = 0.0, 0.0, objective.meter()
    with mode(model, training=False), no_grad():
        for x, target, y in part.chunks(batch_size):
            outputs = model(x)
            weight = objective.weight(y)
            total, n = total + float(objective.plain(outputs, target)) * weight, n + weight
            meter.update(outputs.numpy(), y)
    return meter.result(total / n)
