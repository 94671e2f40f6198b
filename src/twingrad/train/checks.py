"""The arguments of `fit`, checked before anything happens."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import numpy as np

from twingrad import nn, optim
from twingrad.choice import choose
from twingrad.data import BatchSource, Dataset, Splits, Table
from twingrad.functional.checks import integer
from twingrad.train.parts import as_source, is_batches

OPTIMIZERS: dict[str, Any] = {"sgd": optim.SGD, "rmsprop": optim.RMSprop, "adam": optim.Adam, "adamw": optim.AdamW}


def parts(data: Any, dev: Any) -> tuple[Dataset | BatchSource, Dataset | None]:
    """The train part, and the dev part where there is one that holds examples."""
    if dev is not None and (isinstance(data, Splits) or not isinstance(dev, Dataset)):
        told = "Splits bring their own dev part" if isinstance(data, Splits) else f"got {type(dev).__name__}"
        raise TypeError(f"fit: dev must be a Dataset, beside a Dataset or batches; {told}")
    if isinstance(data, str | PurePath):
        raise TypeError(
            f"fit: data must be a data set, not its name; tg.data.load({str(data)!r}).split(seed=0) reads it"
        )
    if isinstance(data, Splits):
        return data.train, data.dev if len(data.dev) else None
    if isinstance(data, Dataset):
        return data, dev
    if is_batches(data):
        return as_source(data, "fit: data"), dev
    raise TypeError(
        "fit: data must be a Dataset or the Splits of one (tg.data.Dataset(x, y).split(seed=0)), an iterable of "
        f"batches, or a function of the epoch that gives one; got {type(data).__name__}"
    )


def check_model(who: str, model: Any) -> None:
    """Raise a TypeError unless it is a Module."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"{who}: model must be an nn.Module, such as nn.Sequential(...); got {type(model).__name__}")


def check_input(model: nn.Module, preprocessing: Any) -> None:
    """Raise a ValueError where a preprocessing would scale what the model looks up."""
    if model.takes_integers and preprocessing is not None:
        raise ValueError(
            "fit: this model looks whole numbers up in an Embedding, which a preprocessing would scale; "
            "leave preprocessing out (None)"
        )


def check_learns(model: nn.Module) -> None:
    """Raise a ValueError where all parameters are frozen."""
    parameters = model.parameters()
    if parameters and not any(parameter.requires_grad for parameter in parameters):
        raise ValueError(
            f"fit: all {len(parameters)} parameters are frozen; nn.freeze(..., frozen=False) lets some learn"
        )


def task_of(train: Dataset | BatchSource, dev: Dataset | None) -> str:
    """The task of a data set; for batches that of the dev part, else what the first batch looks like."""
    if isinstance(train, Dataset):
        return train.task
    if dev is not None:
        return dev.task
    with train.epoch(0, prefetch=0) as found:
        x, y, *_ = next(found)
    return Dataset(x, y).task


def make_optimizer(optimizer: Any) -> Any:
    """An optimizer: the one given, or the one of that name with its defaults."""
    if isinstance(optimizer, str):
        return OPTIMIZERS[choose("optimizer", optimizer, OPTIMIZERS)]()
    if not isinstance(optimizer, optim.Optimizer):
        raise TypeError(f"fit: optimizer must be a name or an optimizer like optim.Adam(lr=1e-3); got {optimizer!r}")
    return optimizer


def has_batch_norm(model: Any) -> bool:
    """Whether a layer of the model needs at least two examples in training."""
    return any(isinstance(module, nn.BatchNorm) for _, module in model.modules())


COUNTS = {
    "epochs": (0, 2**32),
    "batch_size": (1, 2**63),
    "seed": (0, 2**64),
    "accumulate": (1, 2**32),
    "evaluate_every": (1, 2**63),
    "prefetch": (0, 2**16),
    "threads": (1, 257),
}
"""For each count of `fit` the least and the first that is too large."""
OPTIONAL = ("evaluate_every", "prefetch", "threads")


def counts(**given: Any) -> list[Any]:
    """The values as ints, in their order; None stays where it says "no such thing".

    Raises:
        TypeError, ValueError: one is no integer, or none in the bounds of `COUNTS`.
    """
    return [None if value is None and name in OPTIONAL else _count(name, value) for name, value in given.items()]


def _count(name: str, value: Any) -> int:
    whole, (low, high) = integer(f"fit: {name}", value), COUNTS[name]
    if not low <= whole < high:
        limit = f"below 2**{high.bit_length() - 1}" if high & (high - 1) == 0 else f"at most {high - 1}"
        below = f" and {limit}" if whole >= high or name == "seed" else ""
        raise ValueError(f"fit: {name} must be at least {low}{below}; got {value}")
    return whole


def check_reading(prefetch: int | None, resident: Any, augment: Any) -> None:
    """Raise for a value of `resident` that is none, or that other arguments contradict."""
    if resident not in (None, True, False):
        raise TypeError(f"fit: resident must be True, False or None; got {resident!r}")
    if resident and not (prefetch is None and augment is None):
        other = f"prefetch={prefetch} reads it ahead" if augment is None else "augment changes each batch anew"
        raise ValueError(f"fit: a resident data set stays as it is, and {other}; leave out that, or resident=True")


def check_batch_size(model: Any, batch_size: int, train: Dataset | BatchSource) -> None:
    """Raise a ValueError for a batch size above the examples, or of 1 where the model has batch normalisation."""
    if not isinstance(train, Dataset):
        return
    if batch_size > len(train):
        raise ValueError(f"fit: batch_size must not exceed the {len(train)} training examples; got {batch_size}")
    if batch_size == 1 and has_batch_norm(model):
        raise ValueError(
            "fit: batch_size must be at least 2, because the model has batch normalisation, "
            "which cannot train on a batch of one example; got 1"
        )


def class_weights(asked: Any, train: Dataset | BatchSource, task: str, outputs: int) -> Any:
    """The weights of the classes as an array: those given, or N / (C N_c) for "balanced"; None for none.

    Raises:
        TypeError: no numbers.
        ValueError: another text or number of weights than classes; weights that are negative, not finite or all 0;
            "balanced" for batches, or for a task other than one of classes.
    """
    if asked is None:
        return None
    classed = task in ("binary", "multi-class")
    if task == "regression" or (isinstance(asked, str) and not classed):
        given = f"class_weight={asked!r}" if isinstance(asked, str) else "class_weight"
        raise ValueError(f"fit: {given} does not apply to a {task} task")
    count = max(2, outputs) if classed else 2  # two for one logit, and for each label
    if isinstance(asked, str):
        choose("value of class_weight", asked, ["balanced"])
        if not isinstance(train, Dataset):
            raise ValueError("fit: class_weight='balanced' needs a data set, whose classes can be counted; got batches")
        found = np.bincount(train.y, minlength=count)
        return len(train) / (np.count_nonzero(found) * np.maximum(found, 1))
    try:
        weights = np.asarray(asked, np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f'fit: class_weight must be {count} numbers, "balanced" or None; got {asked!r}') from error
    shapes = [(count,)] if classed else [(2,), (outputs, 2)]
    if weights.shape not in shapes or not _weigh(weights):
        rule = f"{count} numbers, one for each class, finite and at least 0, not all 0"
        raise ValueError(f"fit: class_weight must be {rule}; got {asked}")
    return weights


def check_example_weight(weight: Any, train: Dataset | BatchSource) -> Any:
    """The weights of the examples as an array (N,), or None.

    Raises:
        ValueError: another count, or weights that are negative, not finite or all 0.
    """
    if weight is None:
        return None
    if not isinstance(train, Dataset):
        raise ValueError("fit: batches bring the weights of their examples themselves, as (x, y, weight)")
    weight = np.asarray(weight)
    if weight.dtype.kind not in "biuf":
        raise TypeError(f"fit: example_weight must be numbers, got an array of {weight.dtype}")
    if weight.shape != (len(train),) or not _weigh(weight):
        raise ValueError(
            f"fit: example_weight must be ({len(train)},), one for each training example, finite and at least 0, not "
            f"all 0; got shape {weight.shape}"
        )
    return weight


def check_augment(augment: Any, train: Dataset | BatchSource) -> Any:
    """`augment`, which may be None.

    Raises:
        TypeError: it cannot be called.
        ValueError: the data hold text.
    """
    if augment is None:
        return None
    if not callable(augment):
        raise TypeError(
            "fit: augment must be an Augmentation, such as augment.Shift(1), or a function (x, *, seed, step); "
            f"got {augment!r}"
        )
    if isinstance(train, Dataset) and isinstance(train.x, Table):
        raise ValueError("fit: augment changes arrays of numbers; the data hold text")
    return augment


def _weigh(weights: Any) -> bool:
    return bool((np.isfinite(weights) & (weights >= 0)).all() and weights.any())
