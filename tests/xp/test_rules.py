"""Every rule of the tape against central differences and against PyTorch, first and second derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from drawn import NAMES, rows_of
from hypothesis import given, settings, strategies
from row import Row
from rows import BINARY, ROWS, UNARY

from twingrad import Tensor, xp
from twingrad.autodiff import gradients
from twingrad.xp.composed import compositions
from twingrad.xp.primitive import primitives

from numerics import central_differences, largest, relative_error

NOT_IN_TORCH = (
    "_", "to_device", "getitem-back", "remainder-of", "nextafter", "unique_", "linalg.qr-complete", "imag",
    "take-of a number", "cumulative_sum-of a number", "cumulative_prod-of a number", "linalg.vector_norm-largest of",
    "linalg.matrix_norm-2 of", "linalg.matrix_norm-inf of",
)  # fmt: skip
"""Functions of ours, what PyTorch refuses (a negative step, the largest of nothing), and derivatives that it lacks."""


def cotangents(row: Row, seed: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Random weights for the result, and for each gradient."""
    rng = np.random.default_rng(seed)
    out = np.asarray(row.call(xp, *row.inputs))
    return rng.uniform(0.5, 1.5, out.shape), [rng.uniform(0.5, 1.5, a.shape) for a in row.inputs]


def bent(out: Any) -> Any:
    """The result and its square: what is linear has a second derivative with it."""
    return out + 0.5 * out * out


def derivatives(row: Row) -> tuple[list[Any], list[Any]]:
    """First derivatives of the weighted sum of the result and its square, and second ones of the weighted sum of
    these.
    """
    seed, weights = cotangents(row, 1)
    inputs = [Tensor(a, requires_grad=True) for a in row.inputs]
    first = gradients(bent(row.call(xp, *inputs)), inputs, seed, create_graph=True)
    total = sum((xp.sum(g * w) for g, w in zip(first, weights, strict=True)), start=Tensor(np.zeros(())))
    second = gradients(total, inputs) if total.requires_grad else [np.zeros(a.shape) for a in row.inputs]
    return [g.data for g in first], second


def torch_derivatives(row: Row) -> tuple[list[Any], list[Any]]:
    torch = pytest.importorskip(
        "torch", reason="PyTorch is the oracle of derivatives; it comes with the extra `oracle`"
    )
    import array_api_compat.torch as oracle

    seed, weights = cotangents(row, 1)
    inputs = [torch.tensor(a, requires_grad=True) for a in row.inputs]
    options = {"create_graph": True, "materialize_grads": True}
    first = torch.autograd.grad(bent(row.call(oracle, *inputs)), inputs, torch.tensor(seed), **options)
    total = sum((g * torch.tensor(w)).sum() for g, w in zip(first, weights, strict=True))
    if not total.requires_grad:
        return [g.numpy(force=True) for g in first], [np.zeros(a.shape) for a in row.inputs]
    second = torch.autograd.grad(total, inputs, materialize_grads=True)
    return [g.numpy(force=True) for g in first], [g.numpy(force=True) for g in second]


def test_every_differentiable_function_has_a_row() -> None:
    assert sorted({row.name for row in ROWS}) == sorted({*primitives, *compositions})


def test_every_differentiable_function_has_drawn_inputs() -> None:
    inner = {name for name in primitives if name.startswith("_")}
    assert {*primitives, *compositions} - inner - {"to_device"} == set(NAMES) - inner


def check_against_differences(row: Row) -> None:
    seed, _ = cotangents(row, 2)
    inputs = [Tensor(a, requires_grad=True) for a in row.inputs]
    row.call(xp, *inputs).backward(seed)
    expected = central_differences(lambda *a: row.call(xp, *a), row.inputs, seed)
    for tensor, numeric in zip(inputs, expected, strict=True):
        assert tensor.grad.dtype == np.float64
        assert relative_error(tensor.grad, numeric) <= 1e-7


@pytest.mark.parametrize("row", ROWS, ids=repr)
def test_rule_against_central_differences(row: Row) -> None:
    check_against_differences(row)


@pytest.mark.parametrize("name", NAMES)
@given(data=strategies.data())
@settings(max_examples=20)
def test_rule_against_central_differences_on_drawn_inputs(name: str, data: Any) -> None:
    check_against_differences(data.draw(rows_of(name)))


@pytest.mark.oracle
@pytest.mark.parametrize("row", [row for row in ROWS if not repr(row).startswith(NOT_IN_TORCH)], ids=repr)
def test_rule_against_torch(row: Row) -> None:
    ours, theirs = derivatives(row), torch_derivatives(row)
    for order in (0, 1):
        for mine, reference in zip(ours[order], theirs[order], strict=True):
            rounding = largest(np.asarray(mine) - reference) <= 1e-14  # where ours is 0 and theirs is not quite
            assert rounding or relative_error(mine, reference) <= 1e-13, f"derivative {order + 1}"


GROUPS = {
    "elementwise": f"{' '.join(UNARY.values())} {' '.join(BINARY)}",
    "reductions": "sum mean prod max min var std linalg.vector_norm linalg.matrix_norm linalg.trace vecdot",
    "linear algebra": " ".join(row.name for row in ROWS if row.name.startswith("linalg.")),
    "indexing": "getitem take take_along_axis sort repeat unstack concat flip roll linalg.diagonal tril",
}


@pytest.mark.parametrize("group", GROUPS)
def test_second_derivatives_of_ten_functions_are_compared(group: str) -> None:
    compared = [row for row in ROWS if row.name in GROUPS[group].split() and not repr(row).startswith(NOT_IN_TORCH)]
    assert len({row.name for row in compared if any(np.any(second) for second in derivatives(row)[1])}) >= 10
