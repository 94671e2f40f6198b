"""Rows of linear algebra, on matrices whose condition, gaps between singular values and determinants are moderate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from row import Row, by_name, real

from twingrad.xp import linalg
from twingrad.xp.linalg import solving


def regular(*shape: int) -> np.ndarray:
    """Matrices with singular values near 1, 2, 3, ..."""
    rows, columns = shape[-2:]
    noise = 0.3 * real(*shape)
    return np.asarray(noise + np.eye(rows, columns) * np.arange(1, columns + 1))


def symmetric(xp: Any, a: Any) -> Any:
    return a + xp.matrix_transpose(a)


def row(name: str, label: str, call: Callable[..., Any], *shape: int, **options: Any) -> Row:
    return Row(name, label, call, (regular(*shape),), **options)


def products() -> Iterator[Row]:
    for axes, a, b in (
        (2, (2, 3, 4), (3, 4, 5)), (0, (2, 3), (4,)), (1, (3,), (3,)), (((0, 2), (3, 1)), (4, 2, 3), (5, 3, 2, 4)),
        (((-1,), (0,)), (2, 3), (3, 0)),
    ):  # fmt: skip
        call = lambda xp, x, y, axes=axes: xp.tensordot(x, y, axes=axes)  # noqa: E731
        yield Row("tensordot", f"{axes}", call, (real(*a), real(*b)))
    for axis, a, b in ((-1, (3, 4), (3, 4)), (-2, (3, 4), (2, 3, 4)), (-1, (4,), (3, 4)), (-1, (2, 0), (2, 0))):
        call = lambda xp, x, y, axis=axis: xp.vecdot(x, y, axis=axis)  # noqa: E731
        yield Row("vecdot", f"axis {axis} {a}{b}", call, (real(*a), real(*b)))
    yield Row("linalg.outer", "vectors", by_name("linalg.outer"), (real(3), real(4)))
    yield Row("linalg.cross", "stacks", by_name("linalg.cross"), (real(2, 3), real(2, 3)))
    yield Row("linalg.cross", "broadcast", by_name("linalg.cross"), (real(3), real(4, 3)))
    yield Row("linalg.cross", "axis", lambda xp, x, y: xp.linalg.cross(x, y, axis=-2), (real(3, 2), real(3, 2)))
    for name in ("linalg.diagonal", "linalg.trace"):
        f = by_name(name)
        for offset in (-1, 0, 2):
            yield row(name, f"offset {offset}", lambda xp, x, f=f, o=offset: f(xp, x, offset=o), 2, 3, 4)
    for n in (-3, -1, 1, 2, 5):
        yield row("linalg.matrix_power", f"{n}", lambda xp, x, n=n: xp.linalg.matrix_power(x, n), 2, 3, 3)


def solved() -> Iterator[Row]:
    for name in ("inv", "det"):
        for shape in ((3, 3), (2, 3, 3), (1, 1), (0, 2, 2)):
            yield row(f"linalg.{name}", f"{shape}", by_name(f"linalg.{name}"), *shape)
    yield row("_cofactor", "stack", lambda xp, x: solving._cofactor(x), 2, 3, 3, numpy_only=True)
    for b in ((3,), (3, 2), (2, 3, 2)):
        yield Row("linalg.solve", f"{b}", by_name("linalg.solve"), (regular(3, 3), real(*b)))
    yield Row("linalg.solve", "stack of matrices", by_name("linalg.solve"), (regular(2, 3, 3), real(3, 2)))
    for name, part in (("logabsdet", 1), ("sign and logabsdet", slice(None))):
        call = lambda xp, x, p=part: sum(xp.linalg.slogdet(x)[p]) if isinstance(p, slice) else xp.linalg.slogdet(x)[p]  # noqa: E731
        yield row("linalg.slogdet", name, call, 2, 3, 3)
    for shape in ((3, 3), (4, 2), (2, 2, 4)):
        yield row("linalg.pinv", f"{shape}", by_name("linalg.pinv"), *shape)
    for upper in (False, True):
        call = lambda xp, a, u=upper: xp.linalg.cholesky(a @ xp.matrix_transpose(a), upper=u)  # noqa: E731
        yield row("linalg.cholesky", "upper" if upper else "lower", call, 2, 3, 3)


def decomposed() -> Iterator[Row]:
    """Functions of vectors that do not depend on the signs that a library gives them."""
    yield row("linalg.eigvalsh", "stack", lambda xp, a: xp.linalg.eigvalsh(symmetric(xp, a)), 2, 3, 3)
    yield row("linalg.eigh", "values", lambda xp, a: xp.linalg.eigh(symmetric(xp, a)).eigenvalues, 3, 3)
    yield row("linalg.eigh", "vectors", lambda xp, a: xp.linalg.eigh(symmetric(xp, a)).eigenvectors ** 4, 2, 3, 3)

    def sine(xp: Any, a: Any) -> Any:
        values, vectors = xp.linalg.eigh(symmetric(xp, a))
        return (vectors * xp.sin(values)) @ vectors.T

    yield row("linalg.eigh", "a function of the matrix", sine, 3, 3)
    for shape in ((3, 3), (4, 2), (2, 4), (2, 4, 3), (2, 0)):
        yield row("linalg.svdvals", f"{shape}", by_name("linalg.svdvals"), *shape)
        for full in (False,) if shape[-2] != shape[-1] else (False, True):
            label = f"{shape}{' full' * full}"

            def squares(xp: Any, a: Any, part: int, full: bool = full) -> Any:
                return xp.linalg.svd(a, full_matrices=full)[part] ** 4

            for part in (0, 1, 2):
                yield row("linalg.svd", f"{label} {'USV'[part]}", lambda xp, a, f=squares, p=part: f(xp, a, p), *shape)

    def product(xp: Any, a: Any) -> Any:
        u, s, vh = xp.linalg.svd(a, full_matrices=False)
        return (u * xp.exp(-s)) @ vh

    yield row("linalg.svd", "a function of the matrix", product, 4, 3)
    yield row("_complement", "of U", lambda xp, a: projector(xp.linalg.svd(a).U[:, 2:]), 4, 2)
    yield row("_complement", "of V", lambda xp, a: projector(xp.linalg.svd(a).Vh[2:, :].T), 2, 4)
    yield row("_complement", "of Q", lambda xp, a: projector(xp.linalg.qr(a, mode="complete").Q[:, 2:]), 4, 2)
    for shape, mode in (((3, 3), "reduced"), ((4, 2), "reduced"), ((2, 2, 4), "reduced"), ((2, 4), "complete")):
        for part in (0, 1):
            call = lambda xp, a, m=mode, p=part: xp.linalg.qr(a, mode=m)[p]  # noqa: E731
            yield row("linalg.qr", f"{shape} {mode} {'QR'[part]}", call, *shape)
    yield row("linalg.qr", "complete, R", lambda xp, a: xp.linalg.qr(a, mode="complete").R, 4, 2)


def projector(columns: Any) -> Any:
    return columns @ columns.mT


def norms() -> Iterator[Row]:
    for ord in ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf):
        for keepdims in (False, True):
            call = lambda xp, x, o=ord, k=keepdims: xp.linalg.matrix_norm(x, ord=o, keepdims=k)  # noqa: E731
            yield row("linalg.matrix_norm", f"{ord}{' kept' * keepdims}", call, 2, 3, 4)
    for ord in (0.5, 1, 2, 3, -1, math.inf, -math.inf):
        call = lambda xp, x, o=ord: xp.linalg.vector_norm(x, ord=o)  # noqa: E731
        yield Row("linalg.vector_norm", f"{ord}", call, (real(2, 3),))
    for axis in (0, -1, (0, 2)):
        call = lambda xp, x, a=axis: xp.linalg.vector_norm(x, axis=a, keepdims=True)  # noqa: E731
        yield Row("linalg.vector_norm", f"axis {axis}", call, (real(2, 3, 4),))
    yield Row("linalg.vector_norm", "of nothing", lambda xp, x: xp.linalg.vector_norm(x, axis=1), (real(2, 0),))
    largest = lambda xp, x: xp.linalg.vector_norm(x, ord=math.inf)  # noqa: E731
    yield Row("linalg.vector_norm", "largest of nothing", largest, (real(2, 0),), numpy_only=True)
    yield Row(
        "_euclidean", "axes", lambda xp, x: linalg.norms._euclidean(x, axis=(0, -1)), (real(2, 3, 4),), numpy_only=True
    )
    for ord in ("fro", "nuc", 2, math.inf):
        call = lambda xp, x, o=ord: xp.linalg.matrix_norm(x, ord=o)  # noqa: E731
        yield Row("linalg.matrix_norm", f"{ord} of nothing", call, (real(2, 0, 3),), numpy_only=True)


def rows() -> Iterator[Row]:
    yield from products()
    yield from solved()
    yield from decomposed()
    yield from norms()
