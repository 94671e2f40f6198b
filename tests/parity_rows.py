"""Inputs of every operation that has a kernel, for fused against reference; and how far the two may be apart.

Bounds are in ulps of the largest sum of the absolute values of an element's terms (see `terms`): the two paths add the
same terms in another order, and where they cancel, the rounding of the largest remains. 0 means the same bits.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from twingrad import functional as F
from twingrad.functional.adam import adam_control
from twingrad.functional.rmsprop import rmsprop_control
from twingrad.functional.sgd import sgd_control


class Row(NamedTuple):
    """`arrays` of an operation: the first `differentiable` are Tensors, `options` its keywords, a function of the dtype
    where one is an array.
    """

    operation: str
    label: str
    arrays: Callable[[str], tuple[Any, ...]]
    options: dict[str, Any]
    differentiable: int

    def __repr__(self) -> str:
        return f"{self.operation}-{self.label}"


BOUNDS: dict[str, tuple[float, float]] = {
    "linear": (4, 4),
    "relu": (0, 0),
    "leaky_relu": (0, 0),
    "sigmoid": (3, 4),
    "tanh": (3, 3),
    "softmax": (4, 8),
    "layer_norm": (16, 8),
    "embedding": (0, 2),
    "gather": (0, 0),
    "dropout": (0, 0),
    "batch_norm": (16, 8),
    "softmax_cross_entropy": (8, 8),
    "binary_cross_entropy": (8, 6),
    "mean_squared_error": (8, 4),
    "mean_absolute_error": (8, 4),
    "adam_segments": (0, 0),
    "sgd_segments": (0, 0),
    "rmsprop_segments": (0, 0),
    "clip_segments": (0, 0),
}
"""Forward and backward; measured: linear 0 and 2, batch norm 8.3 (the mean of 1000) and 4, softmax 4 and 6,
the other losses 4 and 3."""


def terms(row: Row, arrays: tuple[np.ndarray, ...], seed: np.ndarray) -> tuple[list[Any], list[Any]]:
    """For the result and each gradient, the sums of absolute terms; empty where nothing cancels."""
    a = [np.abs(array.astype(np.float64)) for array in arrays if array is not None]
    seed = np.abs(seed.astype(np.float64))
    if row.operation == "linear":
        return [a[0] @ a[1].T + (a[2] if len(a) > 2 else 0.0)], [seed @ a[1], seed.T @ a[0], seed.sum(axis=0)]
    if row.operation == "tanh":
        return [], [2.0 * seed]  # 1 - tanh^2
    if row.operation == "embedding":
        hot = arrays[0].reshape(-1, 1) == np.arange(len(a[1]))
        return [], [hot.T.astype(float) @ seed.reshape(-1, a[1].shape[1])]
    if row.operation == "layer_norm":
        deviation = np.sqrt(arrays[0].astype(np.float64).var(axis=-1, keepdims=True) + 1e-5)
        x, weight, bias = a[0] / deviation, a[1], a[2]
        slope = weight / deviation * seed * (1.0 + x)
        axes = tuple(range(x.ndim - 1))
        return [x * weight + bias], [slope, (seed * x).sum(axis=axes), seed.sum(axis=axes)]
    if row.operation == "batch_norm":
        var = arrays[0].astype(np.float64).var(axis=0) if row.options["training"] else a[4]
        deviation = np.sqrt(var + row.options.get("eps", 1e-5))
        x, weight, bias = a[0] / deviation, a[1], a[2]
        slope = weight / deviation * seed * (1.0 + x)
        return [x * weight + bias], [slope, (seed * x).sum(axis=0), seed.sum(axis=0)]
    return [], []


def drawn(dtype: str, *shapes: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(8)
    return tuple(np.asarray(rng.normal(size=shape), dtype) for shape in shapes)


TAILS = {
    "leaky": F.Tail("leaky_relu", 0.1),
    "sigmoid": F.Tail("sigmoid"),
    "tanh": F.Tail("tanh"),
    "relu dropout": F.Tail("relu", mask=F.Mask(0.2, 7, 8, 9)),
}


def linear() -> Iterator[Row]:
    for name, tail in TAILS.items():
        shapes = (33, 12), (70, 12), (70,)
        yield Row("linear", name, lambda dtype, shapes=shapes: drawn(dtype, *shapes), {"tail": tail}, 3)
    for n, i, o in ((1, 1, 1), (5, 3, 7), (64, 64, 32), (129, 70, 33), (130, 300, 260), (0, 3, 2)):
        for bias in (True, False):
            shapes = ((n, i), (o, i), (o,))[: 2 + bias]
            label = f"{n}x{i}x{o}{' bias' * bias}"
            yield Row("linear", label, lambda dtype, shapes=shapes: drawn(dtype, *shapes), {}, len(shapes))


def elementwise() -> Iterator[Row]:
    special = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45, 1.0, -1.0]
    for shape in ((), (0,), (1,), (17,), (3, 5, 7), (1000, 33)):
        plain = lambda dtype, shape=shape: drawn(dtype, shape)  # noqa: E731
        for name in ("relu", "leaky_relu", "sigmoid", "tanh"):
            yield Row(name, str(shape), plain, {}, 1)
        for p in (0.0, 0.2, 0.9):
            yield Row("dropout", f"{shape} {p}", plain, {"p": p, "seed": 2**40 + 1, "stream": 3, "step": 9}, 1)
    values = lambda dtype: (np.asarray(special, dtype),)  # noqa: E731
    for name in ("relu", "leaky_relu", "sigmoid", "tanh"):
        yield Row(name, "special", values, {}, 1)
    yield Row("leaky_relu", "special 0.2", values, {"negative_slope": 0.2}, 1)
    yield Row("dropout", "special", values, {"p": 0.3, "seed": 0, "stream": 0, "step": 0}, 1)
    last = {"p": 0.3, "seed": 2**64 - 1, "stream": 2**32 - 1, "step": 2**32 - 1}
    yield Row("dropout", "last key", lambda dtype: drawn(dtype, (17, 5, 30)), last, 1)


def batch_norm() -> Iterator[Row]:
    def arrays(dtype: str, n: int, c: int, shift: float) -> tuple[np.ndarray, ...]:
        x, weight, bias, mean, var = drawn(dtype, (n, c), (c,), (c,), (c,), (c,))
        return x + x.dtype.type(shift), weight, bias, mean, abs(var) + var.dtype.type(0.1)

    for name, tail in TAILS.items():
        make = lambda dtype: arrays(dtype, 33, 70, 0.0)  # noqa: E731
        yield Row("batch_norm", name, make, {"training": True, "tail": tail}, 3)
    for n, c in ((2, 3), (64, 10), (33, 70), (128, 64), (1000, 3), (2500, 70)):
        for training in (True, False):
            for shift in (0.0, 10.0):
                label = f"{n}x{c} {'train' if training else 'eval'}{' shifted' if shift else ''}"
                make = lambda dtype, n=n, c=c, shift=shift: arrays(dtype, n, c, shift)  # noqa: E731
                yield Row("batch_norm", label, make, {"training": training}, 3)
                if n == 33:
                    options = {"training": training, "momentum": 0.3, "eps": 0.1}
                    yield Row("batch_norm", f"{label} options", make, options, 3)


def along_rows() -> Iterator[Row]:
    def shifted(dtype: str, shape: tuple[int, ...], shift: float) -> tuple[np.ndarray, ...]:
        x, weight, bias = drawn(dtype, shape, shape[-1:], shape[-1:])
        return x + x.dtype.type(shift), weight, bias

    def looked_up(dtype: str, shape: tuple[int, ...], table: tuple[int, int]) -> tuple[np.ndarray, ...]:
        return np.random.default_rng(4).integers(0, table[0], shape), *drawn(dtype, table)

    for shape in ((1,), (7,), (33, 10), (2, 3, 129), (4, 9000), (3000, 5), (0, 3)):
        yield Row("softmax", str(shape), lambda dtype, shape=shape: drawn(dtype, shape), {}, 1)
        for shift in (0.0, 10.0) if shape != (1,) else (0.0,):
            make = functools.partial(shifted, shape=shape, shift=shift)
            yield Row("layer_norm", f"{shape}{' shifted' * bool(shift)}", make, {}, 3)
    for shape, table in (((), (1, 1)), ((5,), (3, 4)), ((40, 3), (7, 65)), ((0,), (2, 3)), ((500,), (9, 10000))):
        yield Row("embedding", f"{shape} {table}", functools.partial(looked_up, shape=shape, table=table), {}, 2)


def softmax_cross_entropy() -> Iterator[Row]:
    for n, c in ((1, 1), (1, 10), (33, 10), (64, 129)):
        for reduction in ("mean", "sum", "none"):
            for scale in (1.0, 1e4):

                def arrays(dtype: str, n: int = n, c: int = c, scale: float = scale) -> tuple[np.ndarray, ...]:
                    (logits,) = drawn(dtype, (n, c))
                    return logits * logits.dtype.type(scale), np.arange(n) % c

                yield Row("softmax_cross_entropy", f"{n}x{c} {reduction} {scale}", arrays, {"reduction": reduction}, 1)


def weighted_softmax() -> Iterator[Row]:
    def arrays(dtype: str, soft: bool, classes: bool, examples: bool) -> tuple[Any, ...]:
        rng = np.random.default_rng(5)
        logits = rng.normal(0.0, 3.0, (33, 10)).astype(dtype)
        target = rng.dirichlet(np.ones(10), 33).astype(dtype) if soft else rng.integers(0, 10, 33)
        weights = rng.random(10).astype(dtype), rng.random(33).astype(dtype)
        return logits, target, weights[0] if classes else None, weights[1] if examples else None

    for soft, classes, examples in itertools.product((False, True), repeat=3):
        for reduction in ("mean", "sum", "none"):
            make = functools.partial(arrays, soft=soft, classes=classes, examples=examples)
            label = f"{'soft' * soft}{' classes' * classes}{' examples' * examples} {reduction}"
            yield Row("softmax_cross_entropy", label, make, {"reduction": reduction}, 1)


def losses() -> Iterator[Row]:
    """Of single numbers: targets of both kinds, missing ones, and weights."""

    def arrays(dtype: str, name: str, shape: tuple[int, ...], kind: str) -> tuple[Any, ...]:
        rng = np.random.default_rng(6)
        x, y, there = rng.normal(0.0, 3.0, shape), rng.random(shape), rng.random(shape) < 0.7
        target = y.astype(dtype) if "soft" in kind or "nan" in kind else (y < 0.4).astype(np.int64)
        if "nan" in kind:
            target[~there] = np.nan
        classes = rng.random((*shape[1:], 2)).astype(dtype) if "classes" in kind else None
        examples = rng.random(shape[:1]).astype(dtype) if "examples" in kind else None
        middle = (classes,) if name == "binary_cross_entropy" else ()
        return x.astype(dtype), target, *middle, examples, there if "mask" in kind else None

    for name in ("binary_cross_entropy", "mean_squared_error", "mean_absolute_error"):
        for shape in ((1,), (33,), (33, 5), (9000, 3)):
            for kind in ("soft", "integers", "soft mask", "integers examples", "soft examples mask"):
                for reduction in ("mean", "sum", "none"):
                    make = functools.partial(arrays, name=name, shape=shape, kind=kind)
                    yield Row(name, f"{shape} {kind} {reduction}", make, {"reduction": reduction}, 1)
    for kind in ("nan", "nan classes", "integers classes examples", "nan mask examples classes"):
        for shape in ((33,), (33, 5)):
            make = functools.partial(arrays, name="binary_cross_entropy", shape=shape, kind=kind)
            yield Row("binary_cross_entropy", f"{shape} {kind}", make, {}, 1)


AROUND: list[dict[str, float]] = [
    {},
    {"l2": 0.1, "blend": 0.01},
    {"shrink": 0.97},
    {"l2": 0.1, "shrink": 0.97},
    {"factor": 0.3, "limit": 0.2},
    {"factor": 1.7, "limit": 1e-3, "l2": 0.1, "shrink": 0.9, "threshold": 0.5, "blend": 0.3},
]
"""The terms around a rule."""

TABLES = {
    "one": [(0, 1001)],
    "empty table": [],
    "odd pieces": [(0, 1), (3, 17), (64, 0), (65, 100), (170, 800), (980, 21)],
    "any order": [(500, 501), (0, 499)],
    "long": [(3, 20_000), (20_100, 9000)],
}


def segments() -> Iterator[Row]:
    eps = {"eps": 1e-3}
    rules: dict[str, tuple[str, Callable[..., Any], dict[str, Any], str]] = {
        "adam": ("adam_segments", adam_control, {"beta1": 0.9, "beta2": 0.999, **eps}, "mv"),
        "inside": ("adam_segments", adam_control, {"beta1": 0.5, "beta2": 0.9, "eps_form": "inside", **eps}, "mv"),
        "plain": ("sgd_segments", sgd_control, {}, "-"),
        "momentum": ("sgd_segments", sgd_control, {"momentum": 0.9, "form": "course", "bias_correction": True}, "m"),
        "nesterov": ("sgd_segments", sgd_control, {"momentum": 0.9, "nesterov": True}, "m"),
        "rms": ("rmsprop_segments", rmsprop_control, {"alpha": 0.9, **eps}, "v--"),
        "rms inside": (
            "rmsprop_segments",
            rmsprop_control,
            {"alpha": 0.9, "eps_form": "inside", "bias_correction": True, **eps},
            "v--",
        ),
        "rms momentum": ("rmsprop_segments", rmsprop_control, {"alpha": 0.9, "momentum": 0.8, **eps}, "vm-"),
        "rms centered": ("rmsprop_segments", rmsprop_control, {"alpha": 0.9, **eps}, "v-m"),
        "rms both": ("rmsprop_segments", rmsprop_control, {"alpha": 0.9, "momentum": 0.8, **eps}, "vmm"),
    }
    for label, (operation, make, options, moments) in rules.items():
        for name, table in TABLES.items():
            for shift in range(len(AROUND) if name == "one" else 1):
                around = [AROUND[(i + shift) % len(AROUND)] for i in range(len(table))]
                control = [make(step=3, lr=0.1, **options, **terms) for terms in around]

                def arrays(
                    dtype: str, table: Any = table, control: Any = control, moments: str = moments, make: Any = make
                ) -> tuple[Any, ...]:
                    size = max((offset + length for offset, length in table), default=5)
                    drawn_ones = drawn(dtype, *[(size,)] * (2 + len(moments)))
                    states = [
                        None if kind == "-" else abs(a) if kind == "v" else a
                        for kind, a in zip(moments, drawn_ones[2:], strict=True)
                    ]
                    width = len(make(step=1, lr=0.0, **({} if make is sgd_control else NO_STEP[make])))
                    rows = np.asarray(table, np.int64).reshape(-1, 2)
                    return *drawn_ones[:2], *states, rows, np.asarray(control, np.float64).reshape(-1, width)

                average = lambda dtype, arrays=arrays: 2 * arrays(dtype)[0]  # noqa: E731
                yield Row(operation, f"{label} {name} {shift}", arrays, {}, 0)
                yield Row(operation, f"{label} {name} {shift} averaged", arrays, {"average": average}, 0)


NO_STEP: dict[Any, dict[str, float]] = {
    adam_control: {"beta1": 0.0, "beta2": 0.0, "eps": 0.0},
    rmsprop_control: {"alpha": 0.0, "eps": 0.0},
}


def clipping() -> Iterator[Row]:
    for name, table in TABLES.items():
        for max_norm in (0.1, 1e6):

            def arrays(dtype: str, table: Any = table) -> tuple[np.ndarray, ...]:
                rows = np.asarray(table, np.int64).reshape(-1, 2)
                (grad,) = drawn(dtype, (max((sum(row) for row in table), default=5),))
                return grad, rows, np.zeros((len(rows), 9)), np.zeros(1)

            yield Row("clip_segments", f"{name} {max_norm}", arrays, {"max_norm": max_norm}, 0)
            scaled = {"max_norm": max_norm, "unscale": 1 / 3}
            yield Row("clip_segments", f"{name} {max_norm} scaled", arrays, scaled, 0)


def gathered(out: np.ndarray, index: np.ndarray, rows: np.ndarray, table: np.ndarray | None = None) -> None:
    """`F.gather` as a write, for its result has no gradient."""
    out[...] = F.gather(index, rows, table)


def gathering() -> Iterator[Row]:
    """Rows of numbers, of bytes with what each means, and of integers."""
    kinds = {"numbers": None, "integers": np.int64, "bytes": np.uint8}
    sizes = (1, 3, (1,)), (9, 40, (5,)), (50, 33, (784,)), (7, 5, (2, 3)), (3, 4, (9000,)), (4, 6, ())
    for total, count, shape in sizes:
        for kind, whole in kinds.items():

            def arrays(dtype: str, n: int = total, b: int = count, s: Any = shape, whole: Any = whole) -> Any:
                index, bytes_ = np.random.default_rng(5).integers(0, n, b), whole is np.uint8
                (values,) = drawn(dtype, (n, *s))
                rows = values if whole is None else np.clip(np.abs(values * 60), 0, 255).astype(whole)
                table = drawn(dtype, (256,)) if bytes_ else ()
                return np.zeros((b, *s), dtype if bytes_ else rows.dtype), index, rows, *table

            yield Row("gather", f"{count} of {(total, *shape)} {kind}", arrays, {}, 0)


ROWS = [
    *linear(),
    *elementwise(),
    *batch_norm(),
    *along_rows(),
    *softmax_cross_entropy(),
    *weighted_softmax(),
    *losses(),
    *segments(),
    *clipping(),
    *gathering(),
]
OPERATIONS = {name: getattr(F, name) for name in BOUNDS} | {"gather": gathered}
