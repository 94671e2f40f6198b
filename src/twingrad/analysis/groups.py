"""One number to decide by: errors of groups, constraints that must only be met, errors of unequal weight."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from twingrad.analysis.table import aligned, flags, host, percent
from twingrad.choice import choose
from twingrad.functional.checks import number


@dataclass(frozen=True)
class GroupErrors:
    """The error of each group; `mean` is the course's single number for a table of countries.

    errors: by the name of the group. counts: its examples, where they are known.

    >>> print(GroupErrors({"US": 0.03, "China": 0.07, "India": 0.05, "other": 0.09}))
    group  examples  error
    US                  3%
    China               7%
    India               5%
    other               9%
    mean over groups: 6%; worst: other, 9%
    """

    errors: Mapping[str, float]
    counts: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.errors:
            raise ValueError("GroupErrors: there are no groups")

    @property
    def mean(self) -> float:
        """Over the groups, each with the same weight."""
        return float(np.mean(list(self.errors.values())))

    @property
    def worst(self) -> str:
        """The group with the largest error."""
        return max(self.errors, key=lambda name: self.errors[name])

    def __str__(self) -> str:
        rows = [["group", "examples", "error"]]
        rows += [[name, str(self.counts.get(name, "")), percent(error)] for name, error in self.errors.items()]
        worst = f"worst: {self.worst}, {percent(self.errors[self.worst])}"
        return "\n".join([*aligned(rows), f"mean over groups: {percent(self.mean)}; {worst}"])


def error_by_group(wrong: Any, groups: Any) -> GroupErrors:
    """The mean of `wrong` in each group: error rates of booleans, mean losses of numbers.

    wrong: (N,) booleans or numbers. groups: (N,), the group of each example. Sorted by name.

    Raises ValueError for shapes that differ or hold no example, and for what is not finite.

    >>> error_by_group([True, False, False, False], ["UK", "UK", "US", "US"]).errors
    {'UK': 0.5, 'US': 0.0}
    """
    values, names = host(wrong).astype(np.float64), host(groups)
    if values.ndim != 1 or values.shape != names.shape or not len(values):
        raise ValueError(
            f"error_by_group: wrong and groups must both be (N,), of at least one; got {values.shape}, {names.shape}"
        )
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0])
        raise ValueError(f"error_by_group: wrong must be finite; example {row} of group {names[row]} has {values[row]}")
    known, place = np.unique(names, return_inverse=True)
    counts = np.bincount(place)
    means = np.bincount(place, weights=values) / counts
    labels = [str(name) for name in known.tolist()]
    return GroupErrors(dict(zip(labels, means.tolist(), strict=True)), dict(zip(labels, counts.tolist(), strict=True)))


def weighted_error(wrong: Any, weight: Any) -> float:
    """sum_i w_i wrong_i / sum_i w_i: an error rate in which some mistakes weigh more.

    wrong: (N,) booleans, or 0 and 1. weight: (N,), at least 0, not all 0.

    Raises ValueError for shapes that differ, other numbers, weights out of range.

    >>> weighted_error([True, False, False], [10.0, 1.0, 1.0])
    0.8333333333333334
    """
    values, weights = flags("weighted_error: wrong", wrong), host(weight).astype(np.float64)
    if values.ndim != 1 or values.shape != weights.shape:
        raise ValueError(f"weighted_error: wrong and weight must both be (N,); got {values.shape}, {weights.shape}")
    unfit = weights[~((weights >= 0) & np.isfinite(weights))]
    if unfit.size or not weights.any():
        got = f"{unfit[0]:g}" if unfit.size else f"{len(weights)} of 0"
        raise ValueError(f"weighted_error: weights are finite and at least 0, not all 0; got {got}")
    return float((values * weights).sum() / weights.sum())


def best_system(
    systems: Mapping[str, Mapping[str, float]],
    *,
    maximise: str | None = None,
    minimise: str | None = None,
    at_most: Mapping[str, float] | None = None,
    at_least: Mapping[str, float] | None = None,
) -> str:
    """The name of the best system by one optimising metric, among those whose satisficing metrics are good enough.

    systems: the metrics of each, by name. maximise or minimise: the optimising metric. at_most, at_least: the limits
    of the satisficing ones, beyond which better is worth nothing. Of equals the first. A weighted sum of both kinds
    would depend on the units in which they are measured.

    Raises ValueError where none meets the limits, for metrics that are unknown or NaN, and unless one metric is to be
    optimised.

    >>> systems = {"A": {"accuracy": 0.92, "ms": 95}, "B": {"accuracy": 0.95, "ms": 1500}}
    >>> best_system(systems, maximise="accuracy", at_most={"ms": 100})
    'A'
    """
    if (maximise is None) == (minimise is None):
        raise ValueError("best_system: one metric is optimised: give maximise or minimise, the others are limits")
    by, sign = (maximise, 1.0) if maximise is not None else (minimise, -1.0)
    limits = [(name, 1.0, limit) for name, limit in (at_most or {}).items()]
    limits += [(name, -1.0, limit) for name, limit in (at_least or {}).items()]
    for system, metrics in systems.items():
        for name in (by, *(name for name, *_ in limits)):
            if math.isnan(number(f"best_system: {name} of {system}", metrics[choose("metric", name, metrics)])):
                raise ValueError(f"best_system: {name} of {system} is NaN, which nothing compares with")
    good = [s for s, metrics in systems.items() if all(way * metrics[m] <= way * limit for m, way, limit in limits)]
    if not good:
        told = ", ".join(f"{m} {'<=' if way > 0 else '>='} {limit:g}" for m, way, limit in limits)
        raise ValueError(f"best_system: none of {', '.join(systems) or 'no systems'} meets {told or 'anything'}")
    return max(good, key=lambda name: sign * systems[name][str(by)])
