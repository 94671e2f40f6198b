"""The arguments of `fit`, checked before anything happens."""

from __future__ import annotations

from typing import Any

from twingrad import nn, optim
from twingrad.choice import choose
from twingrad.data import Dataset, Splits
from twingrad.train.placement import check_fit

OPTIMIZERS = {"sgd": optim.SGD, "adam": optim.Adam, "adamw": optim.AdamW}


def parts(data: Dataset | Splits) -> tuple[Dataset, Dataset | None]:
    """The train part, and the dev part where there is one that holds examples."""
    if isinstance(data, Dataset):
        return data, None
    if isinstance(data, Splits):
        return data.train, data.dev if len(data.dev) else None
    raise TypeError(f"fit: data must be a Dataset or the Splits of one; got {type(data).__name__}")


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


def check_numbers(epochs: int, batch_size: int, seed: int) -> None:
    """Raise for a count that is no count: epochs from 0, batch_size from 1, seed in [0, 2**64)."""
    for name, value, low, high in (
        ("epochs", epochs, 0, 2**32),
        ("batch_size", batch_size, 1, 2**63),
        ("seed", seed, 0, 2**64),
    ):
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"fit: {name} must be an int; got {value!r}")
        if not low <= value < high:
            below = f" and below 2**{high.bit_length() - 1}" if value >= high or name == "seed" else ""
            raise ValueError(f"fit: {name} must be at least {low}{below}; got {value}")


def check_batch_size(model: Any, batch_size: int, n: int) -> None:
    """Raise a ValueError for a batch size above the n examples, or of 1 where the model has batch normalisation."""
    if batch_size > n:
        raise ValueError(f"fit: batch_size must not exceed the {n} training examples; got {batch_size}")
    if batch_size == 1 and has_batch_norm(model):
        raise ValueError(
            "fit: batch_size must be at least 2, because the model has batch normalisation, "
            "which cannot train on a batch of one example; got 1"
        )


def check_data(model: Any, train: Dataset, dev: Dataset | None) -> None:
    """Raise a ValueError where the model does not suit the data."""
    check_fit(model, train)
    if dev is not None:
        check_fit(model, dev)
