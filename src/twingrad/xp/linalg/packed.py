"""Functions with several results, as one operation on the tape: its result holds them all, side by side."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from twingrad.xp.composed import conforming, library
from twingrad.xp.manipulation import reshape
from twingrad.xp.primitive import primitive

Shapes = tuple[tuple[int, ...], ...]


class Packed:
    """The function `path` of a stack of matrices, recorded with `rule`.

    rule(g, out, x): g and out are tuples, one array for each result; returns the cotangent of x.
    shapes(rows, columns): the shape of each result for one matrix.
    options: what the library's function is called with.
    """

    def __init__(self, path: str, rule: Callable[..., Any], shapes: Callable[[int, int], Shapes], **options: Any):
        self._shapes = shapes
        self._record = primitive(
            path,
            lambda g, out, x, /: rule(self._unpacked(g, x), self._unpacked(out, x), x),
            implementation=lambda x: self._packed(library(path)(x, **options), x),
        )

    def __call__(self, x: Any) -> tuple[Any, ...]:
        return self._unpacked(self._record(x), x)

    def _packed(self, results: tuple[Any, ...], x: Any) -> Any:
        lead = x.shape[:-2]
        sizes = map(math.prod, self._shapes(*x.shape[-2:]))
        flat = [reshape(r, (*lead, size)) for r, size in zip(results, sizes, strict=True)]
        return conforming(x).concat(flat, axis=-1)

    def _unpacked(self, packed: Any, x: Any) -> tuple[Any, ...]:
        parts, start = [], 0
        for shape in self._shapes(*x.shape[-2:]):
            end = start + math.prod(shape)
            parts.append(reshape(packed[..., start:end], (*x.shape[:-2], *shape)))
            start = end
        return tuple(parts)
