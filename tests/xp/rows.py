"""One table of calls for every differentiable function of `twingrad.xp`; the tests beside it walk it.

A row's call takes a namespace, so that the same row runs on Tensors, on plain arrays of any library, and on PyTorch
through array-api-compat, whose autograd is the oracle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import rows_of_linalg
import rows_of_moves
from row import EVERY_SHAPE, PAIRS, Row, above_one, by_name, positive, real, unit

from twingrad import xp as twingrad_xp
from twingrad.xp import indexing

UNARY = {
    real: "negative positive abs square reciprocal exp expm1 sin cos atan sinh cosh tanh asinh conj",
    positive: "sqrt log log1p log2 log10",
    unit: "tan asin acos atanh",
    above_one: "acosh",
}
SPECIAL = {positive: "special.entr"}
BINARY = {
    "add": (real, real),
    "subtract": (real, real),
    "multiply": (real, real),
    "divide": (real, real),
    "pow": (positive, real),
    "atan2": (real, real),
    "hypot": (real, real),
    "logaddexp": (real, real),
    "maximum": (real, real),
    "minimum": (real, real),
    "remainder": (real, positive),
    "copysign": (real, real),
    "nextafter": (real, real),
}
SCALARS = (2.5, 2)
NO_SCALARS = ("atan2", "hypot", "logaddexp")
"""PyTorch, through array-api-compat, takes no Python number here; `test_operands` has them for all."""


def unary() -> Iterator[Row]:
    for domain, names in (*UNARY.items(), *SPECIAL.items()):
        for name in names.split():
            for shape in EVERY_SHAPE:
                yield Row(name, str(shape), by_name(name), (domain(*shape),))


def binary() -> Iterator[Row]:
    for name, (left, right) in BINARY.items():
        f = by_name(name)
        for a, b in PAIRS:
            yield Row(name, f"{a}{b}", f, (left(*a), right(*b)))
        for s in () if name in NO_SCALARS else SCALARS:
            yield Row(name, f"by {s!r}", lambda xp, x, f=f, s=s: f(xp, x, s), (left(2, 3),))
            yield Row(name, f"of {s!r}", lambda xp, x, f=f, s=s: f(xp, s, x), (right(2, 3),))


CONDITION = np.asarray([[True, False, True], [False, False, True]])


def choose(xp: Any, x: Any, y: Any) -> Any:
    like = x if hasattr(x, "shape") else y
    plain = getattr(like, "data", like) if hasattr(like, "node") else like
    if isinstance(plain, np.ndarray | np.generic):
        condition: Any = CONDITION
    else:
        from twingrad.namespace import namespace_of

        condition = namespace_of(plain).asarray(CONDITION.tolist(), device=plain.device)
    return xp.where(condition, x, y)


MATRICES = (
    ((3, 4), (4, 2)), ((4,), (4, 2)), ((3, 4), (4,)), ((4,), (4,)), ((2, 3, 4), (4, 2)), ((3, 4), (5, 4, 2)),
    ((2, 1, 3, 4), (5, 4, 2)), ((4,), (2, 4, 3)), ((2, 3, 4), (4,)), ((0, 4), (4, 2)), ((3, 0), (0, 2)),
)  # fmt: skip


def joined() -> Iterator[Row]:
    yield Row("where", "two", choose, (real(2, 3), real(2, 3)))
    yield Row("where", "broadcast", choose, (real(3), real(2, 1)))
    yield Row("where", "number right", lambda xp, x: choose(xp, x, 1.5), (real(2, 3),))
    yield Row("where", "number left", lambda xp, x: choose(xp, 0, x), (real(2, 3),))
    for a, b in MATRICES:
        yield Row("matmul", f"{a}{b}", by_name("matmul"), (real(*a), real(*b)))
    for axis in (0, 1, -1, None):
        parts = (real(2, 3), real(2, 3), real(2, 3))
        yield Row("concat", f"axis {axis}", lambda xp, *a, axis=axis: xp.concat(a, axis=axis), parts)
    yield Row("concat", "uneven", lambda xp, *a: xp.concat(a), (real(1, 3), real(0, 3), real(4, 3)))
    yield Row("concat", "flat, of any shapes", lambda xp, *a: xp.concat(a, axis=None), (real(2, 2), real(3), real()))
    for axis in (0, 1, 2, -1, -3):
        parts = (real(2, 3), real(2, 3))
        yield Row("stack", f"axis {axis}", lambda xp, *a, axis=axis: xp.stack(a, axis=axis), parts)


AXES = (None, 0, -1, (0, 2), (-1, 0), (0, 1, 2))


def reductions() -> Iterator[Row]:
    for name in ("sum", "mean", "max", "min", "var", "std"):
        for axis in AXES:
            for keepdims in (False, True):
                call = lambda xp, x, name=name, options={"axis": axis, "keepdims": keepdims}: getattr(xp, name)(  # noqa: E731
                    x, **options
                )
                yield Row(name, f"axis {axis}{' kept' * keepdims}", call, (real(3, 3, 4),))
        yield (
            Row(name, "one element", lambda xp, x, name=name: getattr(xp, name)(x, axis=0), (real(1, 2),))
            if (name not in ("var", "std"))
            else Row(
                name, "corrected", lambda xp, x, name=name: getattr(xp, name)(x, axis=0, correction=1), (real(5, 2),)
            )
        )
    yield Row("sum", "no axes", lambda xp, x: xp.sum(x, axis=()), (real(2, 3),))
    yield Row("sum", "of nothing", lambda xp, x: xp.sum(x, axis=0), (real(0, 3),))
    yield Row("sum", "of a number", lambda xp, x: xp.sum(x), (real(),))


def shaped() -> Iterator[Row]:
    def row(name: str, label: str, call: Callable[..., Any], *shape: int) -> Row:
        return Row(name, label, call, (real(*shape),))

    yield row("reshape", "flat", lambda xp, x: xp.reshape(x, (-1,)), 2, 3)
    yield row("reshape", "to 0-d", lambda xp, x: xp.reshape(x, ()), 1, 1)
    yield row("reshape", "of a transpose", lambda xp, x: xp.reshape(xp.matrix_transpose(x), (6,)), 2, 3)
    yield row("reshape", "empty", lambda xp, x: xp.reshape(x, (3, 0)), 0, 2)
    yield row("broadcast_to", "new axis", lambda xp, x: xp.broadcast_to(x, (4, 2, 3)), 2, 3)
    yield row("broadcast_to", "stretched", lambda xp, x: xp.broadcast_to(x, (2, 5, 3)), 2, 1, 3)
    yield row("broadcast_to", "of a number", lambda xp, x: xp.broadcast_to(x, (2, 2)))
    yield row("broadcast_to", "to nothing", lambda xp, x: xp.broadcast_to(x, (0, 3)), 1, 3)
    for axis in (0, 1, -1):
        yield row("expand_dims", f"axis {axis}", lambda xp, x, axis=axis: xp.expand_dims(x, axis=axis), 2, 3)
    for axis in (0, -1, (0, 3)):
        yield row("squeeze", f"axis {axis}", lambda xp, x, axis=axis: xp.squeeze(x, axis), 1, 2, 3, 1)
    for axes in ((0, 1, 2), (2, 0, 1), (1, 2, 0), (-1, 0, 1)):
        yield row("permute_dims", f"{axes}", lambda xp, x, axes=axes: xp.permute_dims(x, axes), 2, 3, 4)
    yield row("matrix_transpose", "matrix", lambda xp, x: xp.matrix_transpose(x), 2, 3)
    yield row("matrix_transpose", "stack", lambda xp, x: xp.matrix_transpose(x), 2, 3, 4)
    for axis in (None, 0, -1, (0, 1)):
        yield row("flip", f"axis {axis}", lambda xp, x, axis=axis: xp.flip(x, axis=axis), 2, 3)
    yield row("astype", "same", lambda xp, x: xp.astype(x, x.dtype), 2, 3)


KEYS: dict[str, Any] = {
    "element": (1, 2),
    "slice": (slice(1, None), slice(None)),
    "step": (slice(None), slice(None, None, 2)),
    "back": (slice(None, None, -1), slice(2, 0, -1)),
    "ellipsis": (..., 0),
    "new axis": (slice(None), None, 1),
    "new axes": (None, ..., None),
    "everything": (...,),
    "nothing": (slice(3, 3), ...),
}
ARRAY_KEYS: dict[str, Any] = {
    "row": 1,
    "rows": slice(1, 3),
    "added axis": None,
    "repeated rows": np.asarray([0, 0, 2]),
    "repeated list": [0, 0, 2],
    "negative": np.asarray([-1, 2, 0]),
    "pairs": (np.asarray([0, 1, 0]), np.asarray([3, 3, 3])),
    "rows and slice": (slice(None), np.asarray([[0, 1], [1, 1]])),
    "mask": np.asarray([True, False, True]),
    "mask of elements": np.arange(12).reshape(3, 4) % 3 == 0,
    "empty": np.asarray([], np.int64),
}


def indexed() -> Iterator[Row]:
    for label, key in KEYS.items():
        yield Row("getitem", label, lambda xp, x, key=key: x[key], (real(3, 4),))
    for label, key in ARRAY_KEYS.items():
        yield Row("getitem", label, lambda xp, x, key=key: x[key], (real(3, 4),), numpy_only=True)
    scatter = indexing._scatter
    yield Row("_scatter", "row", lambda xp, g: scatter(g, 1, (3, 4)), (real(4),), numpy_only=True)
    repeated = np.asarray([0, 0, 2])
    yield Row("_scatter", "repeated", lambda xp, g: scatter(g, repeated, (3, 4)), (real(3, 4),), numpy_only=True)
    yield Row("to_device", "cpu", lambda xp, x: twingrad_xp.to_device(x, "cpu"), (real(2, 3),), numpy_only=True)


ROWS = [
    *unary(), *binary(), *joined(), *reductions(), *shaped(), *indexed(),
    *rows_of_moves.rows(), *rows_of_linalg.rows(),
]  # fmt: skip
