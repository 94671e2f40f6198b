"""Each operation of the registry that has a CPU kernel: kernel and reference agree, forward and backward.

A kernel without a row of inputs fails. Inputs are read-only, so a kernel that writes one is found.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from cpu_cases import FLOATS, assert_same_bits, needs_kernels

from twingrad import functional as F
from twingrad.autodiff import Tensor
from twingrad.functional.adam import adam_control
from twingrad.fusable import fused, registry

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(0)


class Row(NamedTuple):
    """Inputs of one call. differentiable: how many of the first have gradients. written: positions updated in place.
    roundings: the largest error, in units of eps times the largest value of a result; 0 means the same bits."""

    arrays: list[Array]
    options: dict[str, Any] = {}  # noqa: RUF012
    differentiable: int = 0
    written: tuple[int, ...] = ()
    roundings: float = 0


def normal(*shape: int) -> Array:
    return RNG.standard_normal(shape)


SEGMENTS = np.array([[0, 40], [48, 0], [64, 35]])
ADAM = np.array([adam_control(step=3, lr=0.1, beta1=0.9, beta2=0.99, eps=1e-8, l2=l2) for l2 in (0, 0.1, 0.2)])
SGD = np.array([[0.1, 0], [0.2, 0.1], [0.3, 0.2]])
DROPOUT = {"p": 0.3, "seed": 2**63 + 5, "stream": 7, "step": 2**32 - 1}
VECTORS = [normal(70) for _ in range(3)] + [np.ones(70)]

ROWS = {
    "linear": [
        Row([normal(33, 20), normal(70, 20), normal(70)], differentiable=3, roundings=8),
        Row([normal(130, 300), normal(260, 300)], differentiable=2, roundings=20),
        Row([normal(0, 3), normal(2, 3), normal(2)], differentiable=3),
    ],
    "relu": [
        Row([normal(17, 5, 3)], differentiable=1),
        Row([normal(0)], differentiable=1),
        Row([normal()], differentiable=1),
    ],
    "dropout": [Row([normal(17, 5, 30)], DROPOUT, differentiable=1), Row([normal(0, 4)], DROPOUT, differentiable=1)],
    "batch_norm": [
        Row([normal(40, 70), *VECTORS], {"training": True}, 3, (3, 4), roundings=8),
        Row([normal(40, 70), *VECTORS], {"training": True, "momentum": 0.3, "eps": 0.1}, 3, (3, 4), roundings=8),
        Row([normal(40, 70), *VECTORS], {"training": False}, 3, roundings=8),
    ],
    "softmax_cross_entropy": [
        Row([4 * normal(50, 12), RNG.integers(0, 12, 50)], {"reduction": reduction}, 1, roundings=8)
        for reduction in ("mean", "sum", "none")
    ],
    "adam_segments": [
        Row([normal(100), normal(100), normal(100), normal(100) ** 2, SEGMENTS, ADAM], written=(0, 2, 3))
    ],
    "sgd_segments": [Row([normal(100), normal(100), SEGMENTS, SGD], written=(0,))],
}


def cast(array: Array, dtype: str, *, written: bool) -> Array:
    """A copy, floating arrays but tables of scalars in `dtype`; read-only unless the operation updates it."""
    copy = array.copy() if array.dtype.kind != "f" or array is ADAM or array is SGD else array.astype(dtype)
    copy.flags.writeable = written
    return copy


def results(name: str, row: Row, dtype: str, mode: str) -> list[Array]:
    """What the call returns, what it writes, and the gradients of the sum of its result, weighted."""
    arrays = [cast(array, dtype, written=i in row.written) for i, array in enumerate(row.arrays)]
    tensors = [Tensor(a, requires_grad=True) for a in arrays[: row.differentiable]]
    with fused(mode):
        out = registry[name](*tensors, *arrays[row.differentiable :], **row.options)
        if row.differentiable:
            weights = np.cos(np.arange(out.size)).reshape(out.shape).astype(dtype)
            out.backward(weights)
    found = [] if out is None else [np.asarray(out.data)]
    found += [arrays[i] for i in row.written]
    return found + [np.asarray(getattr(t.grad, "data", t.grad)) for t in tensors]


def test_every_kernel_has_a_row() -> None:
    F.relu(np.ones(1))  # imports the provider
    assert {name for name, operation in registry.items() if "cpu" in operation.kernels} == set(ROWS)


@needs_kernels
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("name", "row"), [(name, row) for name, rows in ROWS.items() for row in rows])
def test_kernel_and_reference_agree(name: str, row: Row, dtype: str) -> None:
    got, want = (results(name, row, dtype, mode) for mode in ("require", "never"))
    assert (
        len(got) == len(want) == (name not in ("adam_segments", "sgd_segments")) + len(row.written) + row.differentiable
    )
    for a, b in zip(got, want, strict=True):
        if row.roundings == 0:
            assert_same_bits(a, b)
            continue
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        assert np.abs(a - b).max(initial=0) <= row.roundings * np.finfo(dtype).eps * np.abs(b).max(initial=0)
