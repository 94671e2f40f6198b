"""The inputs on which a CUDA kernel must give NumPy's words, on the host and on a GPU alike."""

from __future__ import annotations

import itertools

import numpy as np

from twingrad import functional as F
from twingrad.functional.adam import adam_control
from twingrad.functional.rmsprop import rmsprop_control
from twingrad.functional.sgd import sgd_control

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


AROUND = [
    {},
    {"l2": 0.1, "blend": 1e-3},
    {"shrink": 0.99},
    {"l2": 1e-3, "shrink": 0.5},
    {"factor": 0.3, "limit": 0.5},
    {"factor": 1.7, "limit": 1e-3, "l2": 0.1, "shrink": 0.9, "threshold": 0.01, "blend": 0.2},
]
"""The terms around a rule, for each segment in turn."""

SETTINGS = {
    "adam": [
        {"step": 1, "lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
        {"step": 7, "lr": 1e-2, "beta1": 0.5, "beta2": 0.9, "eps": 1e-3, "eps_form": "inside"},
        {"step": 1000, "lr": 1e-4, "beta1": 0.0, "beta2": 0.999, "eps": 1e-8},
    ],
    "sgd": [{"step": 1, "lr": 0.1}, {"step": 2, "lr": 1e-3}],
    "momentum": [
        {"step": 1, "lr": 0.1, "momentum": 0.9},
        {"step": 2, "lr": 1e-3, "momentum": 0.5, "form": "course", "bias_correction": True},
        {"step": 9, "lr": 0.1, "momentum": 0.99, "nesterov": True},
    ],
    "rmsprop": [
        {"step": 1, "lr": 0.1, "alpha": 0.9, "eps": 1e-8},
        {"step": 3, "lr": 1e-3, "alpha": 0.99, "eps": 1e-3, "eps_form": "inside", "bias_correction": True},
        {"step": 9, "lr": 0.1, "alpha": 0.5, "eps": 1e-8, "momentum": 0.9},
    ],
}
CONTROLS = {"adam": adam_control, "sgd": sgd_control, "momentum": sgd_control, "rmsprop": rmsprop_control}
RULES = {
    "adam": (F.adam_segments, "mv"),
    "sgd": (F.sgd_segments, "-"),
    "momentum": (F.sgd_segments, "m"),
    "rmsprop": (F.rmsprop_segments, "v--"),
    "rmsprop with momentum": (F.rmsprop_segments, "vm-"),
    "rmsprop, centered": (F.rmsprop_segments, "v-m"),
    "rmsprop with both": (F.rmsprop_segments, "vmm"),
}
"""The update, and its moments: v at least 0, m of any sign, - not there."""


def control_rows(rule, count):
    """So many rows of scalars of the rule, each with its own settings and terms."""
    name = rule.partition(" ")[0].rstrip(",")
    settings, make = SETTINGS[name], CONTROLS[name]
    return np.asarray([make(**settings[i % len(settings)], **AROUND[i % len(AROUND)]) for i in range(count)])


def moments(kinds, size, dtype):
    """The moments of a rule: None where it has none."""
    drawn = [None if kind == "-" else draw(size, dtype, 2 + i) for i, kind in enumerate(kinds)]
    return [np.abs(value) if kind == "v" else value for kind, value in zip(kinds, drawn, strict=True)]


def tables(size, kind, rule="adam"):
    """Segments and their scalars: one; many with gaps, empty ones and none in order; each with its own settings."""
    if kind == "one":
        segments = [(0, size)]
    else:
        edges = sorted({0, size // 7, size // 3, size // 3 + 1, size // 2, size // 2 + size // 5, size})
        segments = [(a, b - a) for a, b in itertools.pairwise(edges)][::-1]
        segments[len(segments) // 2 :: 2] = [(a, 0) for a, _ in segments[len(segments) // 2 :: 2]]
    return np.asarray(segments, np.int64), control_rows(rule, len(segments))
