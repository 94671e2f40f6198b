"""The adversarial inputs of `fidelity_rows`: calls of an operation, drawn for a dtype.

Every length from 0 (or the least that has a meaning) to 70, arrays that begin off a multiple of 64 bytes, subnormals,
infinities, NaN and zeros of both signs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from twingrad import functional as F

LENGTHS = range(71)
Draw = np.random.Generator


class Inputs(NamedTuple):
    """The positional arguments and the keywords of one call; usual: all of them are normal floating-point numbers."""

    arrays: tuple[Any, ...]
    options: dict[str, Any]
    usual: bool = True


def placed(array: Any, start: int) -> Any:
    """A copy whose first element is `start` elements behind a multiple of 64 bytes."""
    bytes_ = np.zeros(array.nbytes + 64 + start * array.itemsize, np.uint8)
    begin = -bytes_.ctypes.data % 64 + start * array.itemsize
    found = bytes_[begin : begin + array.nbytes].view(array.dtype).reshape(array.shape)
    found[...] = array
    return found


def special(dtype: Any, huge: bool = True) -> Any:
    """Zeros, subnormals, the ends of the normal range, infinities, NaN."""
    info = np.finfo(dtype)
    ends = [0.0, info.smallest_subnormal, info.tiny - info.smallest_subnormal, info.tiny, 1.0, np.inf]
    ends += [info.max] * huge
    return np.asarray([sign * end for end in ends for sign in (1, -1)] + [np.nan], dtype)


def mixed(rng: Draw, shape: Any, dtype: Any, often: float = 0.5) -> Any:
    """Special values among others of all magnitudes between 1e-30 and 1e6."""
    usual = rng.normal(size=shape) * 10.0 ** rng.uniform(-30, 6, shape)
    return np.where(rng.random(shape) < often, rng.choice(special(dtype), shape), usual).astype(dtype)


def normal(rng: Draw, *shapes: Any, dtype: Any, scale: float = 1.0, shift: float = 0.0) -> list[Any]:
    return [(shift + scale * rng.normal(size=shape)).astype(dtype) for shape in shapes]


def starts(n: int) -> tuple[int, int]:
    """Where two arrays of this length begin."""
    return n % 16, (3 * n + 1) % 16


def elementwise(*options: dict[str, Any]) -> Callable[[Draw, Any], Iterator[Inputs]]:
    """One array of every length, of usual numbers and of special ones."""

    def inputs(rng: Draw, dtype: Any) -> Iterator[Inputs]:
        for given in options or ({},):
            for n in LENGTHS:
                for start in starts(n):
                    yield Inputs((placed(normal(rng, n, dtype=dtype, scale=3.0)[0], start),), given)
                    yield Inputs((placed(mixed(rng, n, dtype), start),), given, False)
            yield Inputs((np.linspace(-30, 30, 20_001).astype(dtype),), given)

    return inputs


MASK: dict[str, Any] = {"p": 0.3, "seed": 2**40 + 1, "stream": 3, "step": 9}
TAILS = (None, F.Tail("relu"), F.Tail("relu", mask=F.Mask(**MASK)))


def poisoned(rng: Draw, array: Any) -> Any:
    """The array with special values in a tenth of the places; none so large that sums overflow in one order alone."""
    return np.where(rng.random(array.shape) < 0.1, rng.choice(special(array.dtype, huge=False), array.shape), array)


def rows_of(least: int, weights: int) -> Callable[[Draw, Any], Iterator[Inputs]]:
    """x (3, n) and so many vectors (n,): usual, shifted, subnormal and with special values in one row of three."""

    def inputs(rng: Draw, dtype: Any) -> Iterator[Inputs]:
        tiny = float(np.finfo(dtype).tiny)
        for n in LENGTHS[least:]:
            vectors = [placed(v, starts(n)[1]) for v in normal(rng, *[(n,)] * weights, dtype=dtype)]
            for scale, shift in ((1.0, 0.0), (0.5, 100.0), (tiny / 8, 0.0)):
                (x,) = normal(rng, (3, n), dtype=dtype, scale=scale, shift=shift)
                yield Inputs((placed(x, starts(n)[0]), *vectors), {}, scale > tiny)
            x[1] = poisoned(rng, x[1])
            yield Inputs((placed(x, starts(n)[0]), *vectors), {}, False)

    return inputs


def batch_norm(rng: Draw, dtype: Any) -> Iterator[Inputs]:
    for n in LENGTHS[3:]:
        for shape in ((n, 7), (9, n)):
            for training, tail, shift in ((True, None, 0.0), (True, TAILS[n % 3], 30.0), (False, TAILS[n % 3], 0.0)):
                (x,) = normal(rng, shape, dtype=dtype, shift=shift)
                yield Inputs(columns(rng, x, n), {"training": training, "tail": tail})
            x[:, n % shape[1]] = poisoned(rng, x[:, n % shape[1]])
            yield Inputs(columns(rng, x, n), {"training": training}, False)


def columns(rng: Draw, x: Any, n: int) -> tuple[Any, ...]:
    """x, and weight, bias, running mean and variance for its columns."""
    weight, bias, mean, var = normal(rng, *[x.shape[1:]] * 4, dtype=x.dtype)
    return tuple(
        placed(a, starts(n)[i % 2]) for i, a in enumerate((x, weight, bias, mean, np.abs(var) + x.dtype.type(0.1)))
    )


def linear(rng: Draw, dtype: Any) -> Iterator[Inputs]:
    for n in LENGTHS[1:]:
        for shape in ((n, 5, 7), (5, n, 7), (5, 7, n)):
            rows, i, o = shape
            x, weight, bias = (
                placed(a, starts(n)[k % 2]) for k, a in enumerate(normal(rng, (rows, i), (o, i), (o,), dtype=dtype))
            )
            yield Inputs((x, weight, bias), {"tail": TAILS[n % 3]})


def bias(rng: Draw, dtype: Any) -> Iterator[Inputs]:
    """Products that are exact, so that the sum with the bias alone is rounded; then ReLU and dropout."""
    for n in LENGTHS[1:]:
        for tail in TAILS:
            x = placed(normal(rng, (5, 1), dtype=dtype)[0], starts(n)[0])
            weight = (2.0 ** rng.integers(-3, 4, (n, 1))).astype(dtype)
            yield Inputs((x, weight, placed(mixed(rng, n, dtype), starts(n)[1])), {"tail": tail}, False)


def embedding(rng: Draw, dtype: Any) -> Iterator[Inputs]:
    for n in LENGTHS:
        yield Inputs((rng.integers(0, 9, 5), placed(mixed(rng, (9, n), dtype), starts(n)[0])), {}, False)
        yield Inputs((rng.integers(0, 9, n), placed(normal(rng, (9, 6), dtype=dtype)[0], 1)), {})


def gather(rng: Draw, dtype: Any) -> Iterator[Inputs]:
    """Rows of numbers, and of bytes that a table explains."""
    for n in LENGTHS[1:]:
        index, codes = rng.integers(0, 9, n % 7 + 1), rng.integers(0, 256, (9, n)).astype(np.uint8)
        yield Inputs((index, placed(mixed(rng, (9, n), dtype), starts(n)[0])), {}, False)
        yield Inputs((index, codes, placed(mixed(rng, 256, dtype), starts(n)[1])), {}, False)


def softmax_loss(rng: Draw, dtype: Any) -> Iterator[Inputs]:
    for n in LENGTHS[1:]:
        for shape in ((n, 6), (4, n)):
            for scale in (3.0, 1e3):
                (x,) = normal(rng, shape, dtype=dtype, scale=scale)
                how = {"reduction": ("mean", "sum", "none")[n % 3]}
                yield Inputs((placed(x, starts(n)[0]), rng.integers(0, shape[1], shape[0])), how)
        x[n % 4] = poisoned(rng, x[n % 4])
        yield Inputs((placed(x, starts(n)[0]), rng.integers(0, n, 4)), {"reduction": "none"}, False)


def loss(rng: Draw, dtype: Any) -> Iterator[Inputs]:
    """Of single numbers: predictions and targets of every length."""
    for n in LENGTHS[1:]:
        for reduction in ("mean", "sum", "none"):
            x, y = normal(rng, n, n, dtype=dtype, scale=3.0)
            target = (y > 0).astype(dtype) if n % 2 else 1 / (1 + np.exp(-y))
            yield Inputs((placed(x, starts(n)[0]), placed(target, starts(n)[1])), {"reduction": reduction})
        x = poisoned(rng, x)
        yield Inputs((placed(x, starts(n)[0]), placed(target, starts(n)[1])), {"reduction": "none"}, False)


AROUND: tuple[dict[str, float], ...] = (
    {},
    {"l2": 0.1, "shrink": 0.97},
    {"factor": 0.3, "limit": 0.2},
    {"factor": 1.7, "limit": 1e-3, "l2": 0.1, "shrink": 0.9, "threshold": 0.5},
)
"""The terms around an update rule."""
BLENDS = (1.0, 0.1, 0.01)
"""The shares of the weights in their average, where one is kept; the first step has 1."""


def update(
    make: Callable[..., Any], *variants: tuple[str, dict[str, Any]], averaged: bool = False
) -> Callable[[Draw, Any], Iterator[Inputs]]:
    """Flat arrays with a segment of every length, behind gaps of 1 to 5 elements.

    variants: the states, "v" where they are not negative and "-" where there is none, and the rule's settings.
    averaged: with an average of the weights, kept in the same pass.
    """
    surroundings = [around | {"blend": b} for around in AROUND for b in BLENDS] if averaged else AROUND
    lengths = np.asarray(LENGTHS)
    offsets = np.cumsum(lengths + 1 + lengths % 5) - lengths
    segments = np.stack([offsets, lengths], 1).astype(np.int64)
    size = int(offsets[-1] + lengths[-1])

    def inputs(rng: Draw, dtype: Any) -> Iterator[Inputs]:
        for (states, settings), around in ((variant, around) for variant in variants for around in surroundings):
            control = np.asarray([make(step=3, lr=0.1, **settings, **around)] * len(segments))
            for usual in (True, False):
                names = f"pg{states}{'a' if averaged else '-'}"
                drawn = [normal(rng, size, dtype=dtype)[0] if usual else mixed(rng, size, dtype) for _ in names]
                kept = [None if s == "-" else np.abs(a) if s == "v" else a for s, a in zip(names, drawn, strict=True)]
                *arrays, average = (None if a is None else placed(a, 3 * i + 1) for i, a in enumerate(kept))
                yield Inputs((*arrays, segments, control), {"average": average}, usual)

    return inputs


def clipped(rng: Draw, dtype: Any) -> Iterator[Inputs]:
    for n in (*LENGTHS, 20_000):
        for usual in (True, False):
            (grad,) = normal(rng, n, dtype=dtype) if usual else [mixed(rng, n, dtype, 0.02)]
            segments, control = np.asarray([(0, n)], np.int64), np.zeros((1, 9))
            yield Inputs((placed(grad, starts(n)[0]), segments, control, np.zeros(1)), {"max_norm": 0.5}, usual)
