"""Mini-batches of a data set, made ready in the background."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad.data.augmenting import Augment, of_batch
from twingrad.data.batches import batches
from twingrad.data.dataset import Dataset
from twingrad.data.prefetch import Prefetch
from twingrad.data.preprocessing import Preprocessing

Batch = tuple[Any, ...]
"""(x, y), or (x, y, weight)."""


def loader(
    data: Dataset,
    *,
    batch_size: int,
    seed: int = 0,
    epoch: int = 0,
    start_batch: int = 0,
    smallest: int = 1,
    shuffle: bool = True,
    augment: Augment | None = None,
    preprocessing: Preprocessing | None = None,
    weight: NDArray[Any] | None = None,
    prefetch: int = 2,
) -> Prefetch[Batch]:
    """The mini-batches (x, y), or (x, y, weight), of one epoch, in an order that (seed, epoch) alone decides.

    Only the rows of a batch are read and preprocessed, so x may be memory-mapped and larger than memory.

    Args:
        data: what is visited, each example once.
        batch_size, smallest: as in `batch_bounds`.
        seed, epoch, shuffle: as in `batches`.
        start_batch: how many batches have been seen already; those that follow are the same as without it.
        augment: changes the raw x of every batch, by draws that (seed, epoch, batch) decide; see `twingrad.augment`.
        preprocessing: makes float32 x (B, D) of the raw features; without it they come as they are.
        weight: (N,) weights of the examples.
        prefetch: how many batches a thread makes ready ahead; 0 makes them when they are asked for. The same batches.

    Raises:
        ValueError: a batch size or start_batch out of range, weights of another length or not finite and >= 0.
        TypeError: an argument of another kind.

    >>> data = Dataset(np.arange(10.0).reshape(5, 2), np.arange(5) % 2)
    >>> [len(y) for x, y in loader(data, batch_size=2)]
    [2, 2, 1]
    """
    if not (augment is None or callable(augment)):
        raise TypeError(f"loader: augment must be an Augmentation or a function (x, *, seed, step); got {augment!r}")
    if not isinstance(preprocessing, Preprocessing | None):
        raise TypeError(f"loader: preprocessing must be a Preprocessing or None; got {preprocessing!r}")
    if weight is not None:
        weight = _checked_weight(weight, len(data))
    order = batches(
        len(data), batch_size, seed=seed, epoch=epoch, smallest=smallest, start_batch=start_batch, shuffle=shuffle
    )

    def change(x: Any, batch: int) -> Any:
        return of_batch(augment, x, seed=seed, epoch=epoch, batch=batch)

    return Prefetch(_read(data, enumerate(order, start_batch), change, preprocessing, weight), prefetch)


def _read(
    data: Dataset,
    order: Iterator[tuple[int, NDArray[np.int64]]],
    change: Callable[[Any, int], Any],
    preprocessing: Preprocessing | None,
    weight: NDArray[Any] | None,
) -> Iterator[Batch]:
    for batch, index in order:
        part = data.take(index)
        x = change(part.x[:], batch)
        x = x if preprocessing is None else preprocessing.apply(x, tuple(data.feature_names))
        y = part.y if preprocessing is None else preprocessing.targets(part)
        yield (x, y) if weight is None else (x, y, weight[index])


def _checked_weight(weight: NDArray[Any], n: int) -> NDArray[Any]:
    weight = np.asarray(weight)
    if weight.shape != (n,):
        raise ValueError(f"loader: weight must be ({n},), one for each example; got {weight.shape}")
    wrong = np.flatnonzero(~(np.isfinite(weight) & (weight >= 0)))
    if len(wrong):
        row = int(wrong[0])
        raise ValueError(f"loader: weights must be finite and at least 0; example {row} has {weight[row]}")
    return weight
