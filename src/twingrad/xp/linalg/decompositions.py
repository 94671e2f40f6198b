"""Eigenvalues of symmetric matrices, singular values, and QR.

Rules: M. Giles, Collected matrix derivative results for forward and reverse mode algorithmic differentiation (2008);
S. Walter, L. Lehmann, Algorithmic differentiation of linear algebra functions with application in optimum experimental
design (2010). Where two eigenvalues or singular values are equal, or where one is 0 of a matrix that is not square,
the vectors have no derivative: it is infinite or NaN if the result depends on these vectors, and right if it depends
on the values alone.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from twingrad.xp.composed import composed, library
from twingrad.xp.elementwise import equal, logical_and, where
from twingrad.xp.linalg.packed import Packed
from twingrad.xp.linalg.products import matmul, undiagonal
from twingrad.xp.linalg.solving import solve
from twingrad.xp.manipulation import concat, matrix_transpose, tril
from twingrad.xp.primitive import primitive


class EighResult(NamedTuple):
    """What `eigh` finds: the eigenvalues, ascending, and the eigenvectors, in columns."""

    eigenvalues: Any
    eigenvectors: Any


class QRResult(NamedTuple):
    """What `qr` finds: an orthonormal Q and an upper triangular R."""

    Q: Any
    R: Any


class SVDResult(NamedTuple):
    """What `svd` finds: the left singular vectors, the singular values, descending, and the right ones, in rows."""

    U: Any
    S: Any
    Vh: Any


def _over(a: Any, b: Any) -> Any:
    """a / b, and 0 where both are 0: where nothing depends on what has no derivative."""
    nothing = logical_and(equal(a, 0), equal(b, 0))
    return a / where(nothing, 1, b)


def _differences(values: Any) -> Any:
    """values_j - values_i at (i, j)."""
    return values[..., None, :] - values[..., :, None]


def _on_diagonal(values: Any) -> Any:
    return undiagonal(values, (*values.shape, values.shape[-1]), 0)


def _eigh_rule(g: tuple[Any, ...], out: tuple[Any, ...], x: Any) -> Any:
    (g_values, g_vectors), (values, vectors) = g, out
    turned = matmul(matrix_transpose(vectors), g_vectors)
    skew = turned - matrix_transpose(turned)
    inner = 0.5 * _over(skew, _differences(values)) + _on_diagonal(g_values)
    return matmul(matmul(vectors, inner), matrix_transpose(vectors))


def _svd_rule(g: tuple[Any, ...], out: tuple[Any, ...], x: Any) -> Any:
    (g_u, g_s, g_vh), (u, s, vh) = g, out
    of_u, of_v = matmul(matrix_transpose(u), g_u), matmul(vh, matrix_transpose(g_vh))
    gaps = _differences(s * s)
    row, column = s[..., None, :], s[..., :, None]
    inner = _over(of_u - matrix_transpose(of_u), gaps) * row + column * _over(of_v - matrix_transpose(of_v), gaps)
    inner = inner + _on_diagonal(g_s)
    total = matmul(matmul(u, inner), vh)
    rows, columns = x.shape[-2:]
    if rows > columns:
        total = total + matmul(_over(g_u - matmul(u, of_u), row), vh)
    if columns > rows:
        total = total + matmul(u, _over(g_vh - matmul(matrix_transpose(of_v), vh), column))
    return total


def _qr_rule(g: tuple[Any, ...], out: tuple[Any, ...], x: Any) -> Any:
    """A wide x is (square | rest), whose Q is that of the square part, and the rest of R is Q^T rest."""
    (g_q, g_r), (q, r) = g, out
    rows, columns = x.shape[-2:]
    if columns <= rows:
        return _tall_qr_rule(g_q, g_r, q, r)
    g_rest = g_r[..., rows:]
    g_q = g_q + matmul(x[..., rows:], matrix_transpose(g_rest))
    return concat([_tall_qr_rule(g_q, g_r[..., :rows], q, r[..., :rows]), matmul(q, g_rest)], axis=-1)


def _tall_qr_rule(g_q: Any, g_r: Any, q: Any, r: Any) -> Any:
    inner = matmul(r, matrix_transpose(g_r)) - matmul(matrix_transpose(g_q), q)
    symmetric = tril(inner) + matrix_transpose(tril(inner, k=-1))
    return matrix_transpose(solve(r, matrix_transpose(g_q + matmul(q, symmetric))))


_eigh = Packed("linalg.eigh", _eigh_rule, lambda rows, columns: ((rows,), (rows, rows)))
_svd = Packed(
    "linalg.svd",
    _svd_rule,
    lambda rows, columns: ((rows, min(rows, columns)), (min(rows, columns),), (min(rows, columns), columns)),
    full_matrices=False,
)
_qr = Packed("linalg.qr", _qr_rule, lambda rows, columns: ((rows, min(rows, columns)), (min(rows, columns), columns)))
_complement = primitive(
    "_complement",
    lambda g, out, x, rest: -matmul(matmul(out, matrix_transpose(g)), x),
    implementation=lambda x, rest: rest,
)
"""`rest`, orthonormal columns beside those of x, as what it depends on through x: their span alone is determined."""


@composed("linalg.eigh")
def eigh(x: Any, /) -> Any:
    """The eigenvalues and eigenvectors of symmetric x: (..., n, n); the gradient is symmetric too."""
    return EighResult(*_eigh(x))


@composed("linalg.eigvalsh")
def eigvalsh(x: Any, /) -> Any:
    """The eigenvalues of symmetric x: (..., n, n), ascending."""
    return _eigh(x)[0]


@composed("linalg.svd")
def svd(x: Any, /, *, full_matrices: bool = True) -> Any:
    """x = U diag(S) Vh; full_matrices: U and Vh with the rows and columns that complete an orthonormal basis.

    Of these the span alone is determined by x, and has a derivative.
    """
    u, s, vh = _svd(x)
    rows, columns = x.shape[-2:]
    if full_matrices and rows != columns:
        full_u, _, full_vh = library("linalg.svd")(x.data)
        if rows > columns:
            u = concat([u, _complement(u, full_u[..., columns:])], axis=-1)
        else:
            rest = matrix_transpose(full_vh[..., rows:, :])
            vh = concat([vh, matrix_transpose(_complement(matrix_transpose(vh), rest))], axis=-2)
    return SVDResult(u, s, vh)


@composed("linalg.svdvals")
def svdvals(x: Any, /) -> Any:
    """The singular values of x: (..., m, n), descending."""
    return _svd(x)[1]


@composed("linalg.qr")
def qr(x: Any, /, *, mode: str = "reduced") -> Any:
    """x = Q R of x: (..., m, n), of full rank; Q has min(m, n) columns, or m in mode "complete".

    Of the columns beyond min(m, n) the span alone is determined by x, and has a derivative.
    """
    q, r = _qr(x)
    rows, columns = x.shape[-2:]
    if mode == "reduced" or rows <= columns:
        return QRResult(q, r)
    full_q, full_r = library("linalg.qr")(x.data, mode=mode)
    return QRResult(
        concat([q, _complement(q, full_q[..., columns:])], axis=-1), concat([r, full_r[..., columns:, :]], axis=-2)
    )
