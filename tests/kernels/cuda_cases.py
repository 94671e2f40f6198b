"""The inputs on which a CUDA kernel must give NumPy's words, on the host and on a GPU alike."""

from __future__ import annotations

import itertools

import numpy as np

from twingrad.functional.adam import adam_control

DTYPES = ("float32", "float64")
SIZES = (1, 3, 15, 16, 17, 63, 64, 65, 1000, 1023, 1024, 1025, 5000)


def draw(size, dtype, seed):
    """Numbers of many magnitudes, with zeros of both signs, subnormals and infinities."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(size) * 10.0 ** rng.integers(-6, 4, size)
    special = np.asarray([0.0, -0.0, 1e-40, -1e-44, 1e-310, np.inf, -np.inf, np.nan])
    places = rng.random(size) < 0.05
    values[places] = special[rng.integers(0, len(special), int(places.sum()))]
    with np.errstate(over="ignore"):
        return values.astype(dtype)


def assert_words_equal(actual, expected):
    """Equal in every bit; NaN equals NaN."""
    actual, expected = np.asarray(actual).ravel(), np.asarray(expected).ravel()
    assert actual.dtype == expected.dtype
    both_nan = np.isnan(actual) & np.isnan(expected)
    kind = {4: np.uint32, 8: np.uint64}[actual.itemsize]
    different = (actual.view(kind) != expected.view(kind)) & ~both_nan
    assert not different.any(), f"{different.sum()} of {different.size} words differ, first at {different.argmax()}"


def tables(size, kind):
    """Segments and their scalars: one; many with gaps, empty ones and none in order; each with its own settings."""
    settings = [
        {"step": 1, "lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
        {"step": 7, "lr": 1e-2, "beta1": 0.5, "beta2": 0.9, "eps": 1e-3, "l2": 0.1},
        {"step": 1000, "lr": 1e-4, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "shrink": 0.99},
        {"step": 3, "lr": 0.5, "beta1": 0.0, "beta2": 0.99, "eps": 1e-8, "l2": 1e-3, "shrink": 0.5},
    ]
    if kind == "one":
        segments = [(0, size)]
    else:
        edges = sorted({0, size // 7, size // 3, size // 3 + 1, size // 2, size})
        segments = [(a, b - a) for a, b in itertools.pairwise(edges)][::-1]
        segments[len(segments) // 2 :: 2] = [(a, 0) for a, _ in segments[len(segments) // 2 :: 2]]
    control = [adam_control(**settings[i % 4]) for i in range(len(segments))]
    return np.asarray(segments, np.int64), np.asarray(control)
