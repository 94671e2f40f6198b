"""Mini-batches: which examples, in which order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from twingrad.functional.checks import integer
from twingrad.random import permutation, stream_of

SHUFFLE_STREAM = stream_of("data.shuffle")


def batch_bounds(n: int, batch_size: int, smallest: int = 1) -> list[tuple[int, int]]:
    """The (start, stop) of each mini-batch of n examples; a last one below `smallest` joins the one before it.

    Batch normalisation cannot train on one example: `smallest=2` keeps every example and no batch of one.

    Raises:
        ValueError: the batch size is below 1 or above n. TypeError: it is no integer.

    >>> batch_bounds(7, 3), batch_bounds(7, 3, smallest=2)
    ([(0, 3), (3, 6), (6, 7)], [(0, 3), (3, 7)])
    """
    if not 1 <= (batch_size := integer("batch_size", batch_size)) <= n:
        raise ValueError(f"batch_size must lie between 1 and the {n} training examples; got {batch_size}")
    starts = list(range(0, n, batch_size))
    if len(starts) > 1 and n - starts[-1] < smallest:
        starts.pop()
    return list(zip(starts, [*starts[1:], n], strict=True))


def batches(
    n: int, batch_size: int, *, seed: int, epoch: int, smallest: int = 1, start_batch: int = 0, shuffle: bool = True
) -> Iterator[NDArray[np.int64]]:
    """The shuffled indices of each mini-batch of one epoch: a pure function of (seed, epoch), the same on every device.

    Returns (B,) int64 arrays that together hold each of 0..n-1 once. See `batch_bounds` for the last one.
    start_batch: leaves out so many batches at the beginning; the rest stays the same.
    shuffle: False takes the examples in their own order.

    Raises:
        ValueError: a batch size as in `batch_bounds`, a start_batch below 0 or above the number of batches.

    >>> sorted(int(i) for batch in batches(5, 2, seed=0, epoch=3) for i in batch)
    [0, 1, 2, 3, 4]
    """
    bounds = batch_bounds(n, batch_size, smallest)
    if not 0 <= (start_batch := integer("start_batch", start_batch)) <= len(bounds):
        raise ValueError(f"start_batch must lie between 0 and the epoch's {len(bounds)} batches; got {start_batch}")
    order = permutation(n, seed=seed, stream=SHUFFLE_STREAM, step=epoch) if shuffle else np.arange(n)
    return (order[start:stop] for start, stop in bounds[start_batch:])
