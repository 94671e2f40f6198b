"""Order and sets of elements. A sorted array gives each cotangent back to the place where the element came from."""

from __future__ import annotations

from typing import Any, NamedTuple

from twingrad.xp.composed import bare, composed, library, unrecorded, wrapped
from twingrad.xp.indexing import take, take_along_back
from twingrad.xp.manipulation import reshape
from twingrad.xp.primitive import primitive


def _sort_rule(g: Any, out: Any, x: Any, /, axis: int = -1, *, descending: bool = False, stable: bool = True) -> Any:
    order = argsort(x, axis=axis, descending=descending, stable=stable)
    return take_along_back(g, order, x.shape[axis], axis)


sort = primitive("sort", _sort_rule, implementation=library("sort"))
argsort = unrecorded("argsort", lambda x, /, axis=-1, *, descending=False, stable=True: None)
argmax = unrecorded("argmax", lambda x, /, axis=None, *, keepdims=False: None)
argmin = unrecorded("argmin", lambda x, /, axis=None, *, keepdims=False: None)
count_nonzero = unrecorded("count_nonzero", lambda x, /, axis=None, *, keepdims=False: None)
nonzero = unrecorded("nonzero", lambda x, /: None)
searchsorted = unrecorded("searchsorted", lambda x1, x2, /, *, side="left", sorter=None: None)


class UniqueAllResult(NamedTuple):
    """What `unique_all` finds: the values, where each is first, where each element of x is among them, how many."""

    values: Any
    indices: Any
    inverse_indices: Any
    counts: Any


class UniqueCountsResult(NamedTuple):
    """What `unique_counts` finds: the values and how many of each."""

    values: Any
    counts: Any


class UniqueInverseResult(NamedTuple):
    """What `unique_inverse` finds: the values, and where each element of x is among them."""

    values: Any
    inverse_indices: Any


@composed("unique_all")
def unique_all(x: Any, /) -> Any:
    """The distinct elements of x, their first places, the place of each element among them, and their counts."""
    found = wrapped(library("unique_all")(bare(x)))
    return UniqueAllResult(take(reshape(x, (-1,)), found[1], axis=0), *found[1:])


@composed("unique_counts")
def unique_counts(x: Any, /) -> Any:
    """The distinct elements of x and how often each occurs."""
    values, _, _, counts = unique_all(x)
    return UniqueCountsResult(values, counts)


@composed("unique_inverse")
def unique_inverse(x: Any, /) -> Any:
    """The distinct elements of x, and the place among them of each element of x."""
    values, _, inverse, _ = unique_all(x)
    return UniqueInverseResult(values, inverse)


@composed("unique_values")
def unique_values(x: Any, /) -> Any:
    """The distinct elements of x."""
    return unique_all(x).values
