"""Products of vectors and matrices, diagonals and traces."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from twingrad.xp.composed import composed, conforming, library, wrapped
from twingrad.xp.manipulation import broadcast_to, expand_dims, matrix_transpose, permute_dims, squeeze
from twingrad.xp.primitive import primitive
from twingrad.xp.pulling import unbroadcast


def _matmul_left(g: Any, out: Any, x: Any, y: Any, /) -> Any:
    """d/dx of x @ y: g y^T, with the batch axes along which x was broadcast summed away."""
    if len(y.shape) == 1:
        g, y = expand_dims(g, axis=-1), expand_dims(y, axis=-1)
    if len(x.shape) == 1:
        g = expand_dims(g, axis=-2)
        return unbroadcast(squeeze(matmul(g, matrix_transpose(y)), axis=-2), x.shape)
    return unbroadcast(matmul(g, matrix_transpose(y)), x.shape)


def _matmul_right(g: Any, out: Any, x: Any, y: Any, /) -> Any:
    """d/dy of x @ y: x^T g."""
    vector = len(y.shape) == 1
    if vector:
        g = expand_dims(g, axis=-1)
    if len(x.shape) == 1:
        g, x = expand_dims(g, axis=-2), expand_dims(x, axis=-2)
    product = matmul(matrix_transpose(x), g)
    return unbroadcast(squeeze(product, axis=-1) if vector else product, y.shape)


def _contracted(axes: int | tuple[Sequence[int], Sequence[int]], m: int, n: int) -> tuple[list[int], list[int]]:
    """The axes of arrays of m and n axes that tensordot sums over, counted from 0."""
    if isinstance(axes, int):
        return list(range(m - axes, m)), list(range(axes))
    return [a % m for a in axes[0]], [a % n for a in axes[1]]


def _tensordot_left(g: Any, out: Any, x: Any, y: Any, /, *, axes: Any = 2) -> Any:
    m, n = len(x.shape), len(y.shape)
    of_x, of_y = _contracted(axes, m, n)
    free = [a for a in range(n) if a not in of_y]
    return _uncontracted(tensordot(g, y, axes=(list(range(m - len(of_x), len(g.shape))), free)), of_x, of_y)


def _tensordot_right(g: Any, out: Any, x: Any, y: Any, /, *, axes: Any = 2) -> Any:
    m, n = len(x.shape), len(y.shape)
    of_x, of_y = _contracted(axes, m, n)
    free = [a for a in range(m) if a not in of_x]
    return _uncontracted(tensordot(g, x, axes=(list(range(len(free))), free)), of_y, of_x)


def _uncontracted(product: Any, axes: list[int], partners: list[int]) -> Any:
    """The axes of `product`, the free ones and then the partners of `axes` in order, put where they belong."""
    n = len(product.shape)
    free = iter(range(n - len(axes)))
    behind = {axis: n - len(axes) + sorted(partners).index(p) for axis, p in zip(axes, partners, strict=True)}
    return permute_dims(product, tuple([behind[a] if a in behind else next(free) for a in range(n)]))


def _plain_undiagonal(g: Any, shape: tuple[int, ...], offset: int) -> Any:
    """Zeros of `shape` with g on the diagonal: the transpose of `diagonal`."""
    xp = conforming(g)
    (*lead, rows, columns), count = shape, g.shape[-1]
    flat = xp.zeros((*lead, rows * columns), dtype=g.dtype, device=g.device)
    start = offset if offset >= 0 else -offset * columns
    if count:
        flat[..., start : start + (count - 1) * (columns + 1) + 1 : columns + 1] = g
    return xp.reshape(flat, shape)


def _trace_rule(g: Any, out: Any, x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    rows, columns = x.shape[-2:]
    count = max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
    return undiagonal(broadcast_to(expand_dims(g, axis=-1), (*g.shape, count)), x.shape, offset)


# fmt: off
matmul = primitive("matmul", _matmul_left, _matmul_right)
tensordot = primitive("tensordot", _tensordot_left, _tensordot_right, implementation=library("tensordot"))
vecdot = primitive(
    "vecdot",
    lambda g, out, x, y, /, *, axis=-1: expand_dims(g, axis=axis) * y,
    lambda g, out, x, y, /, *, axis=-1: expand_dims(g, axis=axis) * x,
    broadcasts=True, implementation=library("vecdot"),
)
outer = primitive(
    "linalg.outer", lambda g, out, x, y, /: matmul(g, y), lambda g, out, x, y, /: matmul(x, g),
    implementation=library("linalg.outer"),
)
cross = primitive(
    "linalg.cross",
    lambda g, out, x, y, /, *, axis=-1: cross(y, g, axis=axis),
    lambda g, out, x, y, /, *, axis=-1: cross(g, x, axis=axis),
    broadcasts=True, implementation=library("linalg.cross"),
)
diagonal = primitive(
    "linalg.diagonal", lambda g, out, x, /, *, offset=0: undiagonal(g, x.shape, offset),
    implementation=library("linalg.diagonal"), views=True,
)
undiagonal = primitive(
    "_undiagonal", lambda g, out, x, shape, offset: diagonal(g, offset=offset), implementation=_plain_undiagonal
)
trace = primitive("linalg.trace", _trace_rule, implementation=library("linalg.trace"))
# fmt: on


@composed("linalg.matrix_power")
def matrix_power(x: Any, n: int, /) -> Any:
    """x @ x @ ... @ x, n times; of the inverse where n < 0. By squaring: about 2 log2 n products."""
    from twingrad.xp.linalg.solving import inv

    n = operator.index(n)
    if n == 0:
        return wrapped(library("linalg.matrix_power")(x.data, 0))
    x, n, power = inv(x) if n < 0 else x, abs(n), None
    while n:
        if n % 2:
            power = x if power is None else matmul(power, x)
        x, n = matmul(x, x) if n > 1 else x, n // 2
    return power
