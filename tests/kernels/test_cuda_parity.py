"""Every CUDA kernel beside its reference, without a GPU: the sources on the host, a grid as loops, threads as fibers."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import cuda_on_host
import numpy as np
import pytest
from parity_rows import BOUNDS, OPERATIONS, ROWS, Row, terms

from twingrad import Tensor, fused
from twingrad.fusable import PROVIDERS, registry
from twingrad.kernels.cuda import launching, overrides, tails

import fake_cupy
from numerics import largest, same_bits

pytestmark = pytest.mark.skipif(
    cuda_on_host.compiler() is None, reason="no C++ compiler to run the CUDA sources on the host"
)

WITHOUT: dict[str, str] = {}
"""Operations that have a CPU kernel and no CUDA kernel, and why."""


CUPY = fake_cupy.make()


@pytest.fixture
def gpu(monkeypatch):
    """CuPy of NumPy arrays whose kernels run on the host."""
    for name, module in fake_cupy.modules(CUPY).items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(overrides, "unavailable", lambda: None)
    monkeypatch.setattr(launching, "_function", lambda source, kernel, gpu: cuda_on_host.function(kernel))
    monkeypatch.setattr(launching, "_processors", lambda gpu: 1)
    for cell in (overrides._zero, tails.zero):
        cell.cache_clear()
    yield CUPY
    cuda_on_host.set_order(0)
    for cell in (overrides._zero, tails.zero):
        cell.cache_clear()


def test_every_operation_with_a_cpu_kernel_has_a_cuda_kernel():
    for provider in PROVIDERS.values():
        importlib.import_module(provider)
    missing = {name for name, operation in registry.items() if "cpu" in operation.kernels} - {
        name for name, operation in registry.items() if "cuda" in operation.kernels
    }
    assert missing == set(WITHOUT)


def arrays_of(row: Row, dtype: str) -> list[Any]:
    return [None if a is None else fake_cupy.ndarray(np.array(a)) for a in row.arrays(dtype)]


def seed_of(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return np.asarray(np.random.default_rng(9).normal(size=shape), dtype)


def run(row: Row, dtype: str, mode: str) -> tuple[list[Any], list[Any]]:
    """The result with the arrays as they are afterwards, and the gradients: on the CPU where the mode is "never"."""
    arrays = list(row.arrays(dtype)) if mode == "never" else arrays_of(row, dtype)
    arguments: list[Any] = [
        Tensor(a, requires_grad=a.dtype.kind == "f") if i < row.differentiable else a for i, a in enumerate(arrays)
    ]
    options = {name: value(dtype) if callable(value) else value for name, value in row.options.items()}
    if mode != "never":
        options = {name: fake_cupy.ndarray(a) if isinstance(a, np.ndarray) else a for name, a in options.items()}
    with fused(mode), np.errstate(all="ignore"):
        out = OPERATIONS[row.operation](*arguments, **options)
        if out is not None:
            seed = seed_of(out.shape, dtype)
            out.backward(seed if mode == "never" else fake_cupy.ndarray(seed))
    written = [a for a in (*arrays, *options.values()) if hasattr(a, "dtype") and a.dtype != bool]
    gradients = [t.grad for t in arguments[: row.differentiable] if t.requires_grad]
    return [_host(a) for a in ([] if out is None else [out.data]) + written], [_host(a) for a in gradients]


def _host(array: Any) -> Any:
    return array.get() if isinstance(array, fake_cupy.ndarray) else array


def distances(row: Row, found: Any, expected: Any, dtype: str) -> tuple[list[float], list[float]]:
    """The ulps between two runs, of each result and of each gradient; 0 only for the same bits."""
    scales = terms(row, row.arrays(dtype), seed_of(expected[0][0].shape, dtype))
    apart: tuple[list[float], list[float]] = ([], [])
    for order in (0, 1):
        for i, (a, b) in enumerate(zip(found[order], expected[order], strict=True)):
            scale = largest(scales[order][i] if i < len(scales[order]) else b)
            unit = np.spacing(np.asarray(scale, dtype))
            apart[order].append(0.0 if same_bits(a, b) else max(1e-9, largest(a - b) / float(unit)))
    return apart


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("row", ROWS, ids=repr)
def test_kernels_agree_with_the_reference(gpu, row, dtype):
    found, expected = run(row, dtype, "require"), run(row, dtype, "never")
    for apart, bound in zip(distances(row, found, expected, dtype), BOUNDS[row.operation], strict=True):
        assert max(apart, default=0.0) <= bound, f"ulps apart: {apart}"
