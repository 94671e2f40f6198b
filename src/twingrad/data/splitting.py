"""Which examples go to train, dev and test."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from twingrad.random import permutation, stream_of

SPLIT_STREAM = stream_of("data.split")


def shares_of(train: float | None, dev: float | None, test: float | None, own_test: int) -> tuple[float, float, float]:
    """The three shares, checked; the defaults are 0.6, 0.2, 0.2, and 0.9, 0.1 beside a test part of the data's own."""
    if own_test and test is not None:
        raise ValueError(
            f"split: the data have a test part of their own ({own_test} examples); leave the share of test out, and "
            f"let train and dev sum to 1; got test {test}"
        )
    given = (train, dev, 0.0 if own_test else test)
    missing = [share is None for share in given]
    shares = given if not any(missing) else _completed(given, (0.9, 0.1, 0.0) if own_test else (0.6, 0.2, 0.2))
    found = tuple(float(share) for share in shares if share is not None)
    if not all(share >= 0 for share in found) or not abs(math.fsum(found) - 1) <= 1e-9:
        told = f"{found[0]:g}, {found[1]:g}, {found[2]:g}"
        raise ValueError(f"split: the shares must be at least 0 and sum to 1; got {told}")
    return found[0], found[1], found[2]


def _completed(given: tuple[float | None, ...], default: tuple[float, float, float]) -> tuple[float | None, ...]:
    """Those not given are the defaults, where none is given; else the one missing share is what is left."""
    if given in ((None, None, None), (None, None, 0.0)):
        return default
    known = [share for share in given if share is not None]
    rest = round(1 - math.fsum(known), 12)
    if given.count(None) == 1:
        return tuple(rest if share is None else share for share in given)
    raise ValueError(f"split: give none, all, or all but one of the shares; got {given}")


def stratified_order(y: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """All indices, so ordered that every prefix holds its share of each class, to within one example."""
    shuffled = permutation(len(y), seed=seed, stream=SPLIT_STREAM, step=0)
    rank = np.empty(len(y))
    for label in np.unique(y):
        of_class = shuffled[y[shuffled] == label]
        rank[of_class] = (np.arange(len(of_class)) + 0.5) / len(of_class)
    order: NDArray[np.int64] = shuffled[np.argsort(rank[shuffled], kind="stable")]
    return order


def plain_order(n: int, seed: int) -> NDArray[np.int64]:
    """All indices, shuffled."""
    return permutation(n, seed=seed, stream=SPLIT_STREAM, step=0)
