"""The rows of `parity_rows` on a GPU or its stand-in, beside the reference on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from parity_rows import BOUNDS, OPERATIONS, Row, terms

from twingrad import Tensor, fused

from numerics import largest, same_bits

Put = Callable[[np.ndarray], Any]
"""Copies a NumPy array to where an operation is to run."""

Run = tuple[list[Any], list[Any]]
"""The result with the arrays as they are afterwards, and the gradients, as NumPy arrays."""


def on_the_cpu(row: Row, dtype: str) -> Run:
    """The reference."""
    return run(row, dtype, "never", np.array)


def run(row: Row, dtype: str, mode: str, put: Put) -> Run:
    """One row, on arrays that `put` makes."""
    place = lambda a: put(a) if isinstance(a, np.ndarray) else a  # noqa: E731
    arrays = [place(a) for a in row.arrays(dtype)]
    options = {name: place(value(dtype) if callable(value) else value) for name, value in row.options.items()}
    arguments: list[Any] = [
        Tensor(a, requires_grad=a.dtype.kind == "f") if i < row.differentiable else a for i, a in enumerate(arrays)
    ]
    with fused(mode), np.errstate(all="ignore"):
        out = OPERATIONS[row.operation](*arguments, **options)
        if out is not None:
            out.backward(put(seed_of(out.shape, dtype)))
    written = [a for a in (*arrays, *options.values()) if hasattr(a, "dtype") and a.dtype != bool]
    gradients = [t.grad for t in arguments[: row.differentiable] if t.requires_grad]
    return [_host(a) for a in ([] if out is None else [out.data]) + written], [_host(a) for a in gradients]


def seed_of(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return np.asarray(np.random.default_rng(9).normal(size=shape), dtype)


def _host(array: Any) -> Any:
    return array.get() if hasattr(array, "get") else array


def assert_within_bounds(row: Row, dtype: str, found: Run, expected: Run) -> None:
    """Each result and gradient within the operation's bound, in ulps of the largest sum of absolute terms."""
    scales = terms(row, row.arrays(dtype), seed_of(expected[0][0].shape, dtype))
    for order, bound in enumerate(BOUNDS[row.operation]):
        for i, (a, b) in enumerate(zip(found[order], expected[order], strict=True)):
            scale = largest(scales[order][i] if i < len(scales[order]) else b)
            unit = float(np.spacing(np.asarray(scale, dtype)))
            apart = 0.0 if same_bits(a, b) else max(1e-9, largest(a - b) / unit)
            assert apart <= bound, f"{('result', 'gradient')[order]} {i} is {apart} ulps from the reference"


def assert_same_bits(found: Run, expected: Run) -> None:
    """Every result and gradient the same words."""
    for order in (0, 1):
        for a, b in zip(found[order], expected[order], strict=True):
            assert same_bits(a, b)
