"""Numbers for tests to compare with: central differences, relative errors, units in the last place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def central_differences(f: Callable[..., Any], arrays: Sequence[np.ndarray], seed: np.ndarray) -> list[np.ndarray]:
    """The gradient of sum(seed * f(*arrays)) with respect to each array, in float64, from two values an element."""
    gradients = []
    for position, array in enumerate(arrays):
        gradient = np.zeros(array.shape)
        for index in np.ndindex(array.shape):
            values = []
            step = 1e-5 * max(1.0, abs(float(array[index])))
            for sign in (1, -1):
                moved = [np.array(a) for a in arrays]
                moved[position][index] += sign * step
                values.append(np.asarray(f(*moved), np.float64))
            gradient[index] = np.sum(seed * (values[0] - values[1])) / (2 * step)
        gradients.append(gradient)
    return gradients


def relative_error(a: Any, b: Any) -> float:
    """|a - b| / (|a| + |b|) in the Euclidean norm, 0 where both vanish."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    assert a.shape == b.shape, f"shapes differ: {a.shape} and {b.shape}"
    scale = float(np.linalg.norm(a) + np.linalg.norm(b))
    return float(np.linalg.norm(a - b)) / scale if scale else 0.0


def ulps(a: Any, b: Any) -> int:
    """The largest distance of a from b in representable numbers; NaN equals NaN, and +0 equals -0."""
    a, b = np.asarray(a), np.asarray(b)
    assert (a.shape, a.dtype) == (b.shape, b.dtype), f"{a.dtype}{a.shape} beside {b.dtype}{b.shape}"
    both_nan = np.isnan(a) & np.isnan(b)
    assert np.array_equal(np.isnan(a), np.isnan(b)), "NaN in one only"
    places = [np.where(both_nan, 0, _place(array)) for array in (a, b)]
    return max((abs(int(x) - int(y)) for x, y in zip(places[0].flat, places[1].flat, strict=True)), default=0)


def largest(a: Any) -> float:
    """The largest absolute value, 0 of nothing."""
    return float(np.max(np.abs(a), initial=0.0))


def same_bits(a: Any, b: Any) -> bool:
    """Whether a and b are the same words, the sign of zero included; NaN equals NaN whatever its payload."""
    a, b = np.asarray(a), np.asarray(b)
    if (a.shape, a.dtype) != (b.shape, b.dtype):
        return False
    integer = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}[a.itemsize]
    same = np.ascontiguousarray(a).view(integer) == np.ascontiguousarray(b).view(integer)
    with np.errstate(invalid="ignore"):  # bfloat16 compares its NaN aloud
        return bool(np.all(same | ((a != a) & (b != b))))


def _place(a: np.ndarray) -> np.ndarray:
    """The position of each float in the order of all floats."""
    integer = {4: np.int32, 8: np.int64}[a.itemsize]
    bits = np.ascontiguousarray(a).view(integer).astype(object)
    return np.where(bits < 0, np.iinfo(integer).min - bits, bits)
