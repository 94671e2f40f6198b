"""Norms of vectors and matrices. Where a norm is 0 its gradient is taken to be 0, as in PyTorch."""

from __future__ import annotations

import math
from typing import Any

from twingrad.xp.composed import composed, library, wrapped
from twingrad.xp.elementwise import abs, equal, pow, where
from twingrad.xp.linalg.decompositions import svdvals
from twingrad.xp.primitive import primitive
from twingrad.xp.reductions import kept, max, min, sum


def _euclidean_rule(g: Any, out: Any, x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
    return kept(g / where(equal(out, 0), 1, out), x, axis, keepdims) * x


_euclidean = primitive("_euclidean", _euclidean_rule, implementation=library("linalg.vector_norm"))


def _root(x: Any, p: float) -> Any:
    """x**(1/p), whose derivative at 0 is taken to be 0."""
    return where(equal(x, 0), 0 if p > 0 else math.inf, pow(where(equal(x, 0), 1, x), 1 / p))


@composed("linalg.vector_norm")
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """(sum |x_i|**ord)**(1/ord) over `axis`; inf, -inf: the largest, the smallest |x_i|; 0: how many are not 0."""
    if ord == 0:
        return wrapped(library("linalg.vector_norm")(x.data, axis=axis, keepdims=keepdims, ord=0))
    if ord == math.inf and 0 in x.shape:
        return sum(abs(x), axis=axis, keepdims=keepdims)
    if math.isinf(ord):
        return (max if ord > 0 else min)(abs(x), axis=axis, keepdims=keepdims)
    if ord == 1:
        return sum(abs(x), axis=axis, keepdims=keepdims)
    if ord == 2:
        return _euclidean(x, axis=axis, keepdims=keepdims)
    return _root(sum(pow(abs(x), ord), axis=axis, keepdims=keepdims), ord)


@composed("linalg.matrix_norm")
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """A norm of the last two axes: "fro", "nuc" (the sum of singular values), 2, -2 (the largest, smallest of them),
    1, -1, inf, -inf (the largest, smallest sum of absolute values of a column, of a row).
    """
    if ord in ("fro", None):
        return vector_norm(x, axis=(-2, -1), keepdims=keepdims)
    if ord in (2, math.inf) and 0 in x.shape[-2:]:
        return sum(abs(x), axis=(-2, -1), keepdims=keepdims)
    if ord in ("nuc", 2, -2):
        reduce = {"nuc": sum, 2: max, -2: min}[ord]
        norm = reduce(svdvals(x), axis=-1)
        return norm[..., None, None] if keepdims else norm
    along, across = (-2, -1) if ord in (1, -1) else (-1, -2)
    sums = sum(abs(x), axis=along, keepdims=True)
    norm = (max if ord > 0 else min)(sums, axis=across, keepdims=True)
    return norm if keepdims else norm[..., 0, 0]
