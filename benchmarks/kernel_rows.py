"""The inputs on which `bench_kernels` compares each fused kernel with its reference: one row each, by name.

A kernel that has no row here and no rule in `bench_optimizers` fails tests/benchmarks/test_kernel_rows.py. The smaller
row of an operation is what a layer of a usual network gives it, the larger one streams from memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from twingrad import Tensor
from twingrad import functional as F
from twingrad.functional.terms import Terms
from twingrad.fusable import fused

Arrays = tuple[Any, ...]
Draw = np.random.Generator


class Row(NamedTuple):
    """arrays(rng): the positional arguments; options: the keywords; differentiable: the positions that get gradients.

    again: the positions of the arguments that the backward pass must read a second time, the result in place of one
    where its slope follows from the result. bound: the error allowed between the two paths, of the largest value; 0 for
    the same bits.
    """

    operation: str
    arrays: Callable[[Draw], Arrays]
    options: dict[str, Any]
    differentiable: tuple[int, ...] = (0,)
    again: tuple[int, ...] = (0,)
    bound: float = 0.0
    large: bool = False

    def traffic(self, arrays: Sequence[Any], found: Arrays) -> int:
        """The bytes that forward and backward must read and write at least."""
        if self.operation == "gather":  # reads and writes the rows that it takes
            return int(arrays[0].nbytes + found[-1].nbytes * (1 + arrays[1].itemsize / found[-1].itemsize))
        if not self.differentiable:
            return int(arrays[0].nbytes)
        out, *gradients = found
        read = [a.nbytes for a in arrays if a is not None]
        if self.operation == "embedding":  # reads the rows that it looks up
            read[1] = out.nbytes
        second = out.nbytes + sum(g.nbytes for g in gradients) + sum(read[i] for i in self.again)
        return int(sum(read) + out.nbytes + second)


class Step:
    """Forward and backward of a row on arrays of its own; called with a mode of `fused`.

    Returns the result and the gradients; where the operation has none, its arrays and what it returns.
    """

    def __init__(self, row: Row, place: Callable[[Any], Any] = np.asarray) -> None:
        self.row, self.place = row, place
        self.arrays = tuple(place(array) for array in row.arrays(np.random.default_rng(0)))
        self.gradient: Any = None

    def __call__(self, mode: str) -> Arrays:
        operation, wanted = getattr(F, self.row.operation), self.row.differentiable
        with fused(mode):
            if not wanted:
                out = operation(*self.arrays, **self.row.options)
                return self.arrays if out is None else (*self.arrays, out)
            leaves = [Tensor(a, requires_grad=True) if i in wanted else a for i, a in enumerate(self.arrays)]
            out = operation(*leaves, **self.row.options)
            if self.gradient is None:
                drawn = np.random.default_rng(1).standard_normal(out.shape, np.float32)
                self.gradient = self.place(np.asarray(drawn, np.float32))
            out.backward(self.gradient)
        return out.data, *(leaves[i].grad for i in wanted)


def normal(*shapes: tuple[int, ...]) -> Callable[[Draw], Arrays]:
    """Arrays of these shapes from the normal distribution, float32."""
    return lambda rng: tuple(rng.standard_normal(shape, np.float32) for shape in shapes)


def with_targets(shape: tuple[int, int], kind: str) -> Callable[[Draw], Arrays]:
    """Logits or predictions, and targets: integer "classes" (N,), or "labels" or "values" (N, K) in float32."""

    def arrays(rng: Draw) -> Arrays:
        x = rng.standard_normal(shape, np.float32)
        if kind == "classes":
            return x, rng.integers(0, shape[1], shape[0])
        values = rng.standard_normal(shape, np.float32)
        return x, (values > 0).astype(np.float32) if kind == "labels" else values

    return arrays


def batch_norm(n: int, c: int) -> Callable[[Draw], Arrays]:
    def arrays(rng: Draw) -> Arrays:
        x, weight, bias, mean = normal((n, c), (c,), (c,), (c,))(rng)
        return x, weight, bias, mean, np.ones(c, np.float32)

    return arrays


def looked_up(count: int, table: tuple[int, int]) -> Callable[[Draw], Arrays]:
    return lambda rng: (rng.integers(0, table[0], count), *normal(table)(rng))


def pixels(count: int, images: tuple[int, int]) -> Callable[[Draw], Arrays]:
    """A mini-batch's numbers, images of bytes, and what each byte means."""
    table = (np.arange(256) / 255).astype(np.float32)
    return lambda rng: (rng.integers(0, images[0], count), rng.integers(0, 256, images).astype(np.uint8), table)


def clipped(size: int) -> Callable[[Draw], Arrays]:
    """A flat gradient, one segment, its control with the terms alone, and the norm."""

    def arrays(rng: Draw) -> Arrays:
        segments, control = np.asarray([(0, size)], np.int64), np.asarray([Terms()], np.float64)
        return *normal((size,))(rng), segments, control, np.zeros(1)

    return arrays


def rows() -> Iterator[tuple[str, Row]]:
    for n, c, large in ((128, 512, False), (4096, 1024, True)):
        shape = f"{n}x{c}"
        for name, bound in (("relu", 0.0), ("leaky_relu", 0.0), ("sigmoid", 1e-6), ("tanh", 1e-6), ("softmax", 1e-5)):
            yield f"{name} {shape}", Row(name, normal((n, c)), {}, bound=bound, large=large)
        mask: dict[str, Any] = {"p": 0.2, "seed": 0, "stream": 0, "step": 1}
        yield f"dropout {shape}", Row("dropout", normal((n, c)), mask, again=(), large=large)
        norm: dict[str, Any] = {"differentiable": (0, 1, 2), "again": (0, 1), "bound": 2e-5, "large": large}
        yield f"batch_norm {shape}", Row("batch_norm", batch_norm(n, c), {"training": True}, **norm)
        after = F.Tail("relu", mask=F.Mask(**mask))
        yield (
            f"batch_norm relu dropout {shape}",
            Row("batch_norm", batch_norm(n, c), {"training": True, "tail": after}, **norm),
        )
        yield f"layer_norm {shape}", Row("layer_norm", normal((n, c), (c,), (c,)), {}, **norm)
    for n, i, o, large in ((128, 784, 512, False), (1024, 1024, 1024, True)):
        arrays, both = normal((n, i), (o, i), (o,)), (0, 1)
        for label, options in (("linear", {}), ("linear relu", {"tail": F.Tail("relu")})):
            yield f"{label} {n}x{i} to {o}", Row("linear", arrays, options, (0, 1, 2), both, 1e-5, large)
    for count, table, large in ((2048, (1000, 64), False), (8192, (8000, 256), True)):
        arrays, label = looked_up(count, table), f"embedding {count} of {table[0]}x{table[1]}"
        yield label, Row("embedding", arrays, {}, (1,), (0,), 1e-5, large)
    for count, images, large in ((128, (60_000, 784), False), (8192, (60_000, 784), True)):
        label = f"gather {count} of {images[0]}x{images[1]} bytes"
        yield label, Row("gather", pixels(count, images), {}, (), large=large)
    for n, c, large in ((128, 10, False), (4096, 1024, True)):
        for name, kind in (
            ("softmax_cross_entropy", "classes"),
            ("binary_cross_entropy", "labels"),
            ("mean_squared_error", "values"),
            ("mean_absolute_error", "values"),
        ):
            yield f"{name} {n}x{c}", Row(name, with_targets((n, c), kind), {}, (0,), (0, 1), 1e-5, large)
    for label, size, large in (("0.67 million", 669_706, False), ("25 million", 25_000_000, True)):
        yield f"clip_segments {label}", Row("clip_segments", clipped(size), {"max_norm": 1.0}, (), large=large)


ROWS = dict(rows())
