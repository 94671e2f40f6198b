"""Rows drawn by hypothesis: shapes with no axes, with empty ones and broadcasting, and every form of axes and keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import row
from row import Row, by_name, real
from rows import BINARY, SPECIAL, UNARY
from rows_of_linalg import symmetric

Draw = Callable[..., Any]
Build = Callable[[Draw, str], Row]
"""Draws a row of the function of that name."""


def shape_of(draw: Draw, least: int = 0, axes: int = 0) -> tuple[int, ...]:
    """Up to three axes of length `least` to 3."""
    return draw(hnp.array_shapes(min_dims=axes, max_dims=3, min_side=least, max_side=3))  # type: ignore[no-any-return]


def given(draw: Draw, *kinds: Any) -> tuple[np.ndarray, ...]:
    """Inputs by pairs of a domain and a shape, drawn from one seed."""
    row.seed(draw(st.integers(0, 2**32 - 1)))
    return tuple(domain(*shape) for domain, shape in kinds)


def distinct(*shape: int) -> np.ndarray:
    """Numbers of both signs, 0.3 apart, in any order."""
    count = int(np.prod(shape))
    return np.asarray((row.rng.permutation(count) - count // 2 + 0.4) * 0.3).reshape(shape)


def axes_of(draw: Draw, shape: tuple[int, ...], *, several: bool = True) -> Any:
    """None, one axis from either end, or several."""
    one = st.integers(-len(shape), len(shape) - 1) if shape else st.none()
    some = hnp.valid_tuple_axes(len(shape)) if several else st.none()
    return draw(st.none() | one | some if several else one)


def options_of(function: Callable[..., Any], *rest: Any, **options: Any) -> Callable[..., Any]:
    return lambda xp, *a: function(xp, *a, *rest, **options)


def unary(draw: Draw, name: str) -> Row:
    domain = next(domain for domain, names in (*UNARY.items(), *SPECIAL.items()) if name in names.split())
    shape = shape_of(draw)
    return Row(name, str(shape), by_name(name), given(draw, (domain, shape)))


def binary(draw: Draw, name: str) -> Row:
    shapes = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, min_side=0, max_side=3)).input_shapes
    inputs = given(draw, *zip(BINARY[name], shapes, strict=True))
    return Row(name, str(shapes), by_name(name), inputs)


def broadcast(draw: Draw, name: str) -> Row:
    """where, whose condition is a mask, and functions that give a list of arrays."""
    shapes = draw(hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=3, min_side=0, max_side=3)).input_shapes
    if name == "meshgrid":
        shapes = tuple((n,) for n in draw(st.lists(st.integers(0, 3), min_size=1, max_size=3)))
        indexing = draw(st.sampled_from(["xy", "ij"]))
        call = lambda xp, *a: xp.stack(xp.meshgrid(*a, indexing=indexing))  # noqa: E731
    elif name == "broadcast_arrays":
        call = lambda xp, *a: xp.stack(xp.broadcast_arrays(*a))  # noqa: E731
    else:
        mask = draw(hnp.arrays(np.bool_, shapes[0]))
        shapes, call = shapes[1:], lambda xp, *a: xp.where(mask, *a)
    return Row(name, str(shapes), call, given(draw, *[(real, shape) for shape in shapes]))


def reduction(draw: Draw, name: str) -> Row:
    shape = shape_of(draw, 0 if name in ("sum", "prod", "linalg.vector_norm") else 1)
    axis, keepdims = axes_of(draw, shape), draw(st.booleans())
    ord = {"ord": draw(st.sampled_from([1, 2, 3]))} if name == "linalg.vector_norm" else {}
    if ord and axis == ():
        axis = None  # NumPy's norm over no axes fails
    domain = distinct if name in ("max", "min") else real
    call = options_of(by_name(name), axis=axis, keepdims=keepdims, **ord)
    return Row(name, f"{shape} axis {axis} {keepdims} {ord}", call, given(draw, (domain, shape)))


def along(draw: Draw, name: str) -> Row:
    """Functions along one axis."""
    shape = shape_of(draw, 1 if name == "unstack" else 0, axes=1)
    axis = axes_of(draw, shape, several=False)
    options: dict[str, Any] = {"axis": axis}
    if name.startswith("cumulative"):
        options["include_initial"] = draw(st.booleans())
    if name == "sort":
        options["descending"] = draw(st.booleans())
    if name == "diff":
        options["n"] = draw(st.integers(0, 2))
    if name == "roll":
        options["shift"] = draw(st.integers(-4, 4))
    if name == "repeat":
        options = {"axis": draw(st.sampled_from([None, axis]))}
    if name.startswith("fft."):
        options = {"axes": axis}
    functions = {
        "repeat": lambda xp, x, **o: xp.repeat(x, 2, **o),
        "unstack": lambda xp, x, **o: xp.stack(xp.unstack(x, **o)),
    }
    function = functions.get(name, by_name(name))
    domain = distinct if name == "sort" else real
    return Row(name, f"{shape} {options}", options_of(function, **options), given(draw, (domain, shape)))


def picked(draw: Draw, name: str) -> Row:
    shape = shape_of(draw, 1, axes=1)
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    n = shape[axis]
    if name == "take":
        indices = draw(hnp.arrays(np.int64, st.integers(0, 4), elements=st.integers(-n, n - 1)))
        call = lambda xp, x: xp.take(x, indices, axis=axis)  # noqa: E731
    else:
        wanted = (*shape[:axis], draw(st.integers(0, 4)), *shape[len(shape) + axis + 1 if axis < 0 else axis + 1 :])
        indices = draw(hnp.arrays(np.int64, wanted, elements=st.integers(-n, n - 1)))
        call = lambda xp, x: xp.take_along_axis(x, indices, axis=axis)  # noqa: E731
    return Row(name, f"{shape} {indices.tolist()} axis {axis}", call, given(draw, (real, shape)))


def keyed(draw: Draw, name: str) -> Row:
    shape = shape_of(draw, 1, axes=1)
    mask = hnp.arrays(np.bool_, shape)
    integers = hnp.integer_array_indices(shape, result_shape=hnp.array_shapes(max_dims=2, max_side=3))
    basic = hnp.basic_indices(shape, allow_newaxis=name == "getitem", allow_ellipsis=True)
    key = draw(basic | mask | integers if name == "getitem" else basic | mask)
    if name == "getitem":
        return Row(name, f"{shape} {key}", lambda xp, x: x[key], given(draw, (real, shape)))
    from twingrad.xp.indexing import assign

    kinds = (real, shape), (real, np.zeros(shape)[key].shape)
    return Row(name, f"{shape} {key}", lambda xp, x, v: assign(x, v, key), given(draw, *kinds))


def matrices(draw: Draw, name: str) -> Row:
    lead = draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=2))
    n, m = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    square = name.split(".")[-1] in ("inv", "det", "slogdet", "cholesky", "eigh", "eigvalsh", "matrix_power")
    power = draw(st.sampled_from([-2, -1, 1, 2, 3]))
    shape = (*lead, n, n if square else m)
    calls: dict[str, Callable[..., Any]] = {
        "linalg.matrix_power": lambda xp, x: xp.linalg.matrix_power(x, power),
        "linalg.slogdet": lambda xp, x: xp.linalg.slogdet(x)[1],
        "linalg.cholesky": lambda xp, x: xp.linalg.cholesky(x @ xp.matrix_transpose(x)),
        "linalg.eigh": lambda xp, x: xp.linalg.eigh(symmetric(xp, x))[1] ** 4,
        "linalg.eigvalsh": lambda xp, x: xp.linalg.eigvalsh(symmetric(xp, x)),
        "linalg.qr": lambda xp, x: xp.concat([xp.reshape(part, (-1,)) for part in xp.linalg.qr(x)]),
        "linalg.svd": lambda xp, x: xp.linalg.svd(x, full_matrices=False)[0] ** 4,
    }
    return Row(name, str(shape), calls.get(name, by_name(name)), given(draw, (gapped, shape)))


def gapped(*shape: int) -> np.ndarray:
    """`regular` matrices, nearer to diagonal ones: singular values and their gaps stay above a half."""
    rows, columns = shape[-2:]
    return np.asarray(np.eye(rows, columns) * np.arange(1, columns + 1) + 0.06 * real(*shape))


def solved(draw: Draw, name: str) -> Row:
    lead = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=2, min_side=0, max_side=2)).input_shapes
    n, m = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    b = draw(st.sampled_from([(n,), (*lead[1], n, m)]))
    return Row(name, f"{lead} {n} {b}", by_name(name), given(draw, (gapped, (*lead[0], n, n)), (real, b)))


def product(draw: Draw, name: str) -> Row:
    """matmul of every pair of ranks; products of stacks of vectors; tensordot."""
    lead = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=2, min_side=0, max_side=2)).input_shapes
    n, k, m = (draw(st.integers(0, 3)) for _ in range(3))
    if name == "linalg.outer":
        a, b, call = (n,), (m,), by_name(name)
    elif name in ("vecdot", "linalg.cross"):
        k = 3 if name == "linalg.cross" else k
        a, b, call = (*lead[0], k), (*lead[1], k), by_name(name)
    elif name == "tensordot":
        axes = draw(st.integers(0, 2))
        shared = tuple(draw(st.integers(0, 3)) for _ in range(axes))
        a, b, call = (n, *shared), (*shared, m), options_of(by_name(name), axes=axes)
    else:
        a = draw(st.sampled_from([(k,), (*lead[0], n, k)]))
        b = draw(st.sampled_from([(k,), (*lead[1], k, m)]))
        call = by_name(name)
    return Row(name, f"{a} {b}", call, given(draw, (real, a), (real, b)))


def shaped(draw: Draw, name: str) -> Row:
    shape = shape_of(draw, axes=2 if name in ("matrix_transpose", "tril", "triu") else 1 if name == "moveaxis" else 0)
    n = len(shape)
    axis, beside = st.integers(-n, n - 1), st.integers(-n - 1, n)
    rest: dict[str, Callable[[], tuple[Any, ...]]] = {
        "reshape": lambda: ((1, int(np.prod(shape))),),
        "broadcast_to": lambda: ((2, *shape),),
        "permute_dims": lambda: (tuple(draw(st.permutations(range(n)))),),
        "moveaxis": lambda: (draw(axis), draw(axis)),
        "tile": lambda: (tuple(draw(st.lists(st.integers(0, 2), max_size=4))),),
        "clip": lambda: (-1.05, 1.0),
        "astype": lambda: (np.float64,),
    }
    options: dict[str, Callable[[], dict[str, Any]]] = {
        "expand_dims": lambda: {"axis": draw(beside)},
        "flip": lambda: {"axis": axes_of(draw, shape)},
        "squeeze": lambda: {"axis": tuple(a for a in range(n) if shape[a] == 1)},
        "tril": lambda: {"k": draw(st.integers(-3, 3))},
        "triu": lambda: {"k": draw(st.integers(-3, 3))},
    }
    function = options_of(by_name(name), *rest.get(name, tuple)(), **options.get(name, dict)())
    calls = {
        "imag": lambda xp, x: function(xp, x) + x,
        "unique_all": lambda xp, x: function(xp, x).values,
        "unique_inverse": lambda xp, x: function(xp, x).values,
        "unique_counts": lambda xp, x: function(xp, x).values,
    }
    domain = distinct if name == "clip" or name.startswith("unique") else real
    return Row(name, str(shape), calls.get(name, function), given(draw, (domain, shape)))


def joined(draw: Draw, name: str) -> Row:
    shape = shape_of(draw, axes=1)
    n = len(shape)
    axis = draw(st.integers(-n, n - 1) | st.none() if name == "concat" else st.integers(-n - 1, n))
    function = by_name(name)
    return Row(name, f"{shape} {axis}", lambda xp, *a: function(xp, a, axis=axis), given(draw, *[(real, shape)] * 3))


BUILDS: dict[Build, str] = {
    unary: " ".join([*UNARY.values(), *SPECIAL.values()]),
    broadcast: "where broadcast_arrays meshgrid",
    binary: " ".join(BINARY),
    reduction: "sum mean prod max min var std linalg.vector_norm",
    along: "cumulative_sum cumulative_prod sort diff roll repeat unstack fft.fftshift fft.ifftshift",
    picked: "take take_along_axis",
    keyed: "getitem _setitem",
    matrices: """linalg.inv linalg.det linalg.slogdet linalg.pinv linalg.cholesky linalg.eigh linalg.eigvalsh linalg.qr
    linalg.svd linalg.svdvals linalg.matrix_power linalg.matrix_norm linalg.trace linalg.diagonal""",
    solved: "linalg.solve",
    product: "matmul vecdot tensordot linalg.outer linalg.cross",
    shaped: """reshape broadcast_to expand_dims squeeze permute_dims matrix_transpose flip tile tril triu moveaxis clip
    astype real imag unique_values unique_all unique_counts unique_inverse""",
    joined: "concat stack",
}
NAMES = {name: build for build, names in BUILDS.items() for name in names.split()}


@st.composite
def rows_of(draw: Draw, name: str) -> Row:
    """Rows of the function `name`."""
    return NAMES[name](draw, name)
