"""Which examples go to train, dev and test."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twingrad.random import permutation, stream_of, uniform

if TYPE_CHECKING:
    from twingrad.data.dataset import Dataset

SPLIT_STREAM = stream_of("data.split")
SPLITS = {
    "70/30": (0.7, 0.0, 0.3),
    "60/20/20": (0.6, 0.2, 0.2),
    "98/1/1": (0.98, 0.01, 0.01),
    "99.5/0.25/0.25": (0.995, 0.0025, 0.0025),
    "99.5/0.4/0.1": (0.995, 0.004, 0.001),
}
"""The course's shares of train, dev and test, the first without a dev part: `data.split(*SPLITS["98/1/1"])`.

The first two are for up to some ten thousand examples, the others for a million and more: dev and test need only be
large enough to tell apart what is to be compared.
"""


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


def order_of(y: NDArray[Any], seed: int, stratify: bool, least: float = 1.0) -> NDArray[np.int64]:
    """All indices, shuffled; stratified so that every prefix holds its share of each class.

    To within 1/2 + s C/2 examples of a class that is the share s of all, of C classes: one where all are equally large.
    least: the smallest share that will be cut. A class of which it is less than one example cannot be in every part:
    its first example lies early, in the first part if that is the largest, and the seed draws where the others lie.
    """
    shuffled = permutation(len(y), seed=seed, stream=SPLIT_STREAM, step=0)
    if not stratify:
        return shuffled
    labels = np.unique(y)
    rank, drawn = np.empty(len(y)), uniform((len(labels),), seed=seed, stream=SPLIT_STREAM, step=1)
    for label, shift in zip(labels, drawn, strict=True):
        of_class = shuffled[y[shuffled] == label]
        places = np.arange(len(of_class)) + 0.5
        if len(of_class) * least < 1:
            places[1:] += shift - 0.5
        rank[of_class] = places / len(of_class)
    order: NDArray[np.int64] = shuffled[np.argsort(rank[shuffled], kind="stable")]
    return order


def check_parts(
    data: Dataset, parts: Mapping[str, NDArray[np.int64]], shares: Mapping[str, float], *, stratify: bool
) -> None:
    """Raise ValueError for a part that should hold examples and holds none, or holds those of one class alone; and
    where it is stratified for a class with a single example, which only one part can have.
    """
    for name, part in parts.items():
        if shares[name] and not len(part):
            told = f"{name} would hold none of the {sum(map(len, parts.values()))} examples"
            raise ValueError(f"split: {told}, with {shares[name]:g}; give it more, or 0")
    filled = {name: part for name, part in parts.items() if shares[name]}
    if data.task not in ("binary", "multi-class"):
        return
    if (data.y == data.y[0]).all():
        told = f"all {len(data)} examples are of class {data.classes[data.y[0]]!r}"
        raise ValueError(f"split: {told}, and a classifier needs two classes or more")
    if stratify and len(filled) > 1:
        _check_counts(data, np.concatenate(list(filled.values())))
    for name, part in filled.items():
        labels = data.y[part]
        if (labels == labels[0]).all():
            told = f"{name} would hold class {data.classes[labels[0]]!r} alone, in {len(part)} of {len(data)} examples"
            raise ValueError(f"split: {told}; each part needs two classes or more: give it a larger share, or 0")


def _check_counts(data: Dataset, used: NDArray[np.int64]) -> None:
    single = np.flatnonzero(np.bincount(data.y[used], minlength=len(data.classes)) == 1)
    if len(single):
        raise ValueError(
            f"split: class {data.classes[single[0]]!r} has 1 example, and stratification needs at least 2 of each "
            "class; leave it out, join it to another class, or split with stratify=False"
        )
