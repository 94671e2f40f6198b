"""Inverses, solutions of linear equations, determinants, and the factor of Cholesky.

Rules: M. Giles, Collected matrix derivative results for forward and reverse mode algorithmic differentiation (2008);
of the pseudo-inverse: G. Golub, V. Pereyra, The differentiation of pseudo-inverses (1973), at constant rank.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from twingrad.autodiff.tensor import Tensor
from twingrad.xp.composed import composed, conforming, library, unrecorded
from twingrad.xp.linalg.packed import Packed
from twingrad.xp.linalg.products import diagonal, matmul, undiagonal
from twingrad.xp.manipulation import expand_dims, matrix_transpose, squeeze, tril
from twingrad.xp.primitive import primitive
from twingrad.xp.pulling import unbroadcast
from twingrad.xp.reductions import sum


def _inv_rule(g: Any, out: Any, x: Any, /) -> Any:
    transposed = matrix_transpose(out)
    return -matmul(matmul(transposed, g), transposed)


def _solve_right(g: Any, out: Any, x: Any, y: Any, /) -> Any:
    """x^-T g, with the batch axes along which y was broadcast summed away."""
    if len(y.shape) > 1:
        return unbroadcast(solve(matrix_transpose(x), g), y.shape)
    return unbroadcast(squeeze(solve(matrix_transpose(x), expand_dims(g, axis=-1)), axis=-1), y.shape)


def _solve_left(g: Any, out: Any, x: Any, y: Any, /) -> Any:
    if len(y.shape) == 1:
        g, out = expand_dims(g, axis=-1), expand_dims(out, axis=-1)
    return unbroadcast(-matmul(solve(matrix_transpose(x), g), matrix_transpose(out)), x.shape)


def _plain_cofactor(x: Any) -> Any:
    """det(x) x^-T, which exists for singular x too: from U S V^T, U diag(products of the other s) V^T det U det V."""
    xp = conforming(x)
    u, s, vh = xp.linalg.svd(x, full_matrices=False)
    before = xp.cumulative_prod(s, axis=-1, include_initial=True)[..., :-1]
    behind = xp.flip(xp.cumulative_prod(xp.flip(s, axis=-1), axis=-1, include_initial=True)[..., :-1], axis=-1)
    sign = xp.linalg.det(u) * xp.linalg.det(vh)
    return (sign[..., None] * before * behind)[..., None, :] * u @ vh


def _cofactor_rule(g: Any, out: Any, x: Any, /) -> Any:
    """(<g, x^-T> - x^-T g^T) det(x) x^-T: the second derivative of the determinant needs the inverse."""
    inverse = matrix_transpose(inv(x))
    inner = sum(g * inverse, axis=(-2, -1), keepdims=True)
    return inner * out - matmul(matmul(inverse, matrix_transpose(g)), out)


def _pinv_rule(g: Any, out: Any, x: Any, /, rtol: Any = None) -> Any:
    p, t = out, matrix_transpose(g)
    q = matrix_transpose(p)
    left, right = matmul(t, matmul(p, q)), matmul(matmul(q, p), t)
    return left - matmul(x, matmul(p, left)) + right - matmul(matmul(right, p), x) - matmul(matmul(q, g), q)


def _cholesky_rule(g: Any, out: Any, x: Any, /, *, upper: bool = False) -> Any:
    """L^-T f(L^T g) L^-1 made symmetric; f keeps the lower triangle, and half of the diagonal."""
    factor, g = (matrix_transpose(out), matrix_transpose(g)) if upper else (out, g)
    back = matrix_transpose(factor)
    inner = matmul(back, g)
    kept = tril(inner) - 0.5 * undiagonal(diagonal(inner), inner.shape, 0)
    half = solve(back, matrix_transpose(solve(back, kept)))
    return 0.5 * (half + matrix_transpose(half))


# fmt: off
inv = primitive("linalg.inv", _inv_rule, implementation=library("linalg.inv"))
solve = primitive("linalg.solve", _solve_left, _solve_right, implementation=library("linalg.solve"))
det = primitive(
    "linalg.det", lambda g, out, x, /: g[..., None, None] * _cofactor(x), implementation=library("linalg.det")
)
_cofactor = primitive("_cofactor", _cofactor_rule, implementation=_plain_cofactor)
cholesky = primitive("linalg.cholesky", _cholesky_rule, implementation=library("linalg.cholesky"))
_pinv = primitive("linalg.pinv", _pinv_rule, implementation=lambda x, rtol=None: library("linalg.pinv")(x, rtol=rtol))
_slogdet = Packed(
    "linalg.slogdet",
    lambda g, out, x: g[1][..., None, None] * matrix_transpose(inv(x)),
    lambda rows, columns: ((), ()),
)
matrix_rank = unrecorded("linalg.matrix_rank", lambda x, /, *, rtol=None: None)
# fmt: on


def pinv(x: Any, /, *, rtol: Any = None) -> Any:
    """The pseudo-inverse of x: (..., m, n); singular values below rtol times the largest count as 0.

    Its derivative is that among matrices of the same rank.
    """
    return _pinv(x, rtol.data if isinstance(rtol, Tensor) else rtol)


class SlogdetResult(NamedTuple):
    """What `slogdet` finds: the sign of the determinant, and the logarithm of its absolute value."""

    sign: Any
    logabsdet: Any


@composed("linalg.slogdet")
def slogdet(x: Any, /) -> Any:
    """The sign of the determinant, and the logarithm of its absolute value, whose derivative is x^-T."""
    return SlogdetResult(*_slogdet(x))
