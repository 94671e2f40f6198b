"""Splits of data from several sources, where only one of them is what the system is for."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from twingrad.choice import choose
from twingrad.data.splitting import check_parts, order_of

if TYPE_CHECKING:
    from twingrad.data.dataset import Dataset


class SourceSplits(NamedTuple):
    """Four parts: `fit(model, parts.train, dev=parts.dev)`; train_dev is as train is, but not learned from."""

    train: Dataset
    train_dev: Dataset
    dev: Dataset
    test: Dataset


def split_by_source(
    data: Dataset,
    source: Any,
    *,
    target: Any,
    dev: float,
    test: float,
    train_dev: float = 0,
    seed: int = 0,
    stratify: bool = True,
) -> SourceSplits:
    """What `Dataset.split_by_source` does."""
    named = np.asarray(source)
    if named.shape != (len(data),):
        raise ValueError(f"split_by_source: source must be ({len(data)},), one for each example; got {named.shape}")
    choose("source", str(target), {str(each) for each in named.tolist()})
    classed = stratify and data.task in ("binary", "multi-class")
    own = np.flatnonzero(np.asarray([str(each) == str(target) for each in named.tolist()]))
    n_dev = _count("dev", dev, len(own), f"of source {target!r}")
    n_test = _count("test", test, len(own), f"of source {target!r}")
    if isinstance(dev, float) and isinstance(test, float) and dev + test <= 1:
        n_test = round((dev + test) * len(own)) - n_dev  # two shares rounded by themselves may be more than all
    if n_dev + n_test > len(own):
        raise ValueError(
            f"split_by_source: dev and test take {n_dev} + {n_test} of the {len(own)} examples of source {target!r}"
        )
    order = own[order_of(data.y[own], seed, classed)]
    rest = np.setdiff1d(np.arange(len(data)), order[: n_dev + n_test])
    mixed = rest[order_of(data.y[rest], seed, classed)]
    n_train_dev = _count("train_dev", train_dev, len(rest), "left for training")
    if n_train_dev == len(rest):
        raise ValueError(
            f"split_by_source: nothing is left to train on: of {len(data)} examples dev takes {n_dev}, test {n_test}, "
            f"train_dev {n_train_dev}"
        )
    found = [mixed[n_train_dev:], mixed[:n_train_dev], order[:n_dev], order[n_dev : n_dev + n_test]]
    parts = dict(zip(SourceSplits._fields, map(np.sort, found), strict=True))
    check_parts(data, parts, {"train": 1, "train_dev": train_dev, "dev": dev, "test": test}, stratify=classed)
    return SourceSplits(**{name: data.take(part) for name, part in parts.items()})


def _count(name: str, given: float, of: int, whose: str) -> int:
    """A share in [0, 1] as floats give it, or a count as integers do."""
    if isinstance(given, float | np.floating):
        good = 0 <= given <= 1
        whole = round(given * of) if good else 0
    else:
        whole = operator.index(given)
        good = 0 <= whole <= of
    if not good:
        rule = "a share from 0.0 to 1.0, or a count of at least 0 and"
        raise ValueError(f"split_by_source: {name} is {rule} at most the {of} examples {whose}; got {given}")
    return whole
