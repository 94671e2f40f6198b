"""The arguments of `fit`, checked before anything happens."""

from __future__ import annotations

from typing import Any

import numpy as np

from twingrad import nn, optim
from twingrad.choice import choose
from twingrad.data import BatchSource, Dataset, Splits
from twingrad.train.parts import as_source, is_batches

OPTIMIZERS: dict[str, Any] = {"sgd": optim.SGD, "rmsprop": optim.RMSprop, "adam": optim.Adam, "adamw": optim.AdamW}


def parts(data: Any, dev: Any) -> tuple[Dataset | BatchSource, Dataset | None]:
    """The train part, and the dev part where there is one that holds examples."""
    if dev is not None and (isinstance(data, Splits) or not isinstance(dev, Dataset)):
        told = "Splits bring their own dev part" if isinstance(data, Splits) else f"got {type(dev).__name__}"
        raise TypeError(f"fit: dev must be a Dataset, beside a Dataset or batches; {told}")
    if isinstance(data, Splits):
        return data.train, data.dev if len(data.dev) else None
    if isinstance(data, Dataset):
        return data, dev
    if is_batches(data):
        return as_source(data, "fit: data"), dev
    raise TypeError(
        "fit: data must be a Dataset or the Splits of one, an iterable of batches, or a function of the epoch that "
        f"gives one; got {type(data).__name__}"
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


def check_numbers(
    epochs: int, batch_size: int, seed: int, accumulate: int, evaluate_every: int | None, prefetch: int | None
) -> None:
    """Raise for a count that is no count: epochs from 0, batch_size from 1, seed in [0, 2**64), and so on."""
    for name, value, low, high in (
        ("epochs", epochs, 0, 2**32),
        ("batch_size", batch_size, 1, 2**63),
        ("seed", seed, 0, 2**64),
        ("accumulate", accumulate, 1, 2**32),
        ("evaluate_every", 1 if evaluate_every is None else evaluate_every, 1, 2**63),
        ("prefetch", 0 if prefetch is None else prefetch, 0, 2**16),
    ):
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"fit: {name} must be an int; got {value!r}")
        if not low <= value < high:
            below = f" and below 2**{high.bit_length() - 1}" if value >= high or name == "seed" else ""
            raise ValueError(f"fit: {name} must be at least {low}{below}; got {value}")


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


def check_example_weight(weight: Any, train: Dataset | BatchSource) -> Any:
    """The weights of the examples as an array (N,), or None.

    Raises:
        ValueError: another count, or weights that are negative or not finite.
    """
    if weight is None:
        return None
    if not isinstance(train, Dataset):
        raise ValueError("fit: batches bring the weights of their examples themselves, as (x, y, weight)")
    weight = np.asarray(weight)
    if weight.shape != (len(train),) or not (np.isfinite(weight) & (weight >= 0)).all():
        raise ValueError(
            f"fit: example_weight must be ({len(train)},), one for each training example, finite and at least 0; "
            f"got shape {weight.shape}"
        )
    return weight
