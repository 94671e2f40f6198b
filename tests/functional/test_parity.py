"""Fused against reference over the registry: a kernel without a row of inputs fails here."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
from parity_rows import BOUNDS, OPERATIONS, ROWS, Row, terms

from twingrad import Tensor, fused
from twingrad.fusable import PROVIDERS, registry

from kernels_here import no_kernels
from numerics import largest, same_bits


def run(row: Row, dtype: str, mode: str) -> tuple[list[Any], list[Any]]:
    """The result with the arrays as they are afterwards, and the gradients."""
    arrays = row.arrays(dtype)
    arguments: list[Any] = [
        Tensor(a, requires_grad=a.dtype.kind == "f") if i < row.differentiable else a for i, a in enumerate(arrays)
    ]
    options = {name: value(dtype) if callable(value) else value for name, value in row.options.items()}
    with fused(mode), np.errstate(all="ignore"):
        out = OPERATIONS[row.operation](*arguments, **options)
        if out is None:
            return [a for a in (*arrays, *options.values()) if isinstance(a, np.ndarray)], []
        out.backward(seed_of(out, dtype))
    return [out.data, *(a for a in arrays if a is not None and a.dtype != bool)], [
        t.grad for t in arguments[: row.differentiable] if t.requires_grad
    ]


def seed_of(out: Any, dtype: str) -> np.ndarray:
    return np.asarray(np.random.default_rng(9).normal(size=out.shape), dtype)


def distances(row: Row, dtype: str) -> tuple[list[float], list[float]]:
    """The ulps between the two paths, of each result and of each gradient; 0 only for the same bits."""
    found, expected = run(row, dtype, "require"), run(row, dtype, "never")
    scales = terms(row, row.arrays(dtype), seed_of(expected[0][0], dtype))
    apart: tuple[list[float], list[float]] = ([], [])
    for order in (0, 1):
        for i, (a, b) in enumerate(zip(found[order], expected[order], strict=True)):
            scale = largest(scales[order][i] if i < len(scales[order]) else b)
            unit = np.spacing(np.asarray(scale, dtype))
            apart[order].append(0.0 if same_bits(a, b) else max(1e-9, largest(a - b) / float(unit)))
    return apart


def test_every_operation_with_a_kernel_has_rows() -> None:
    reason = no_kernels()
    if reason:
        pytest.skip(f"no kernels are registered: {reason}")
    importlib.import_module(PROVIDERS["cpu"])
    with_kernels = {name for name, operation in registry.items() if "cpu" in operation.kernels}
    assert with_kernels == set(BOUNDS)
    assert {row.operation for row in ROWS} == with_kernels


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("row", ROWS, ids=repr)
def test_fused_agrees_with_reference(row: Row, dtype: str) -> None:
    reason = no_kernels()
    if reason:
        pytest.skip(f"the fused path cannot run: {reason}")
    for apart, bound in zip(distances(row, dtype), BOUNDS[row.operation], strict=True):
        assert max(apart, default=0.0) <= bound, f"ulps apart: {apart}"
