"""The same rows over every library: results stay in it, in its dtype and on its device, and inputs stay as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from row import Row
from rows import ROWS

from twingrad import Tensor, xp
from twingrad.autodiff import gradients

from numerics import relative_error

ids = pytest.mark.parametrize("row", ROWS, ids=repr)
PORTABLE = [row for row in ROWS if not row.numpy_only]


def test_most_rows_are_portable() -> None:
    assert len(PORTABLE) > 0.9 * len(ROWS)


@pytest.mark.parametrize("row", PORTABLE, ids=repr)
def test_row_stays_in_its_library(row: Row, library: Any) -> None:
    inputs = [library.asarray(a) for a in row.inputs]
    before = [library.numpy(a).copy() for a in inputs]
    tensors = [Tensor(a, requires_grad=True) for a in inputs]
    out = row.call(xp, *tensors)
    expected = np.asarray(row.call(xp, *row.inputs))
    found = library.numpy(out)
    assert str(found.dtype) == library.floats[-1]
    assert found.shape == expected.shape
    assert relative_error(found, expected) <= library.tolerance()
    seed = np.linspace(0.5, 1.5, expected.size).reshape(expected.shape)
    out.backward(library.asarray(seed))
    references = [Tensor(a, requires_grad=True) for a in row.inputs]
    row.call(xp, *references).backward(seed)
    for array, copy, tensor, reference in zip(inputs, before, tensors, references, strict=True):
        gradient = library.numpy(tensor.grad)
        assert str(gradient.dtype) == library.floats[-1]
        assert relative_error(gradient, reference.grad) <= 4 * library.tolerance()
        assert np.array_equal(library.numpy(array), copy)


@pytest.mark.oracle
@pytest.mark.parametrize("row", [row for row in PORTABLE if not repr(row).startswith("getitem-back")], ids=repr)
def test_row_on_torch_tensors(row: Row) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch's tensors need PyTorch; it comes with the extra `oracle`")
    tensors = [Tensor(torch.tensor(a), requires_grad=True) for a in row.inputs]
    references = [Tensor(a, requires_grad=True) for a in row.inputs]
    out, expected = row.call(xp, *tensors), row.call(xp, *references)
    assert relative_error(out.data, expected.data) <= 1e-12
    seed = np.linspace(0.5, 1.5, expected.size).reshape(expected.shape)
    out.backward(torch.tensor(seed))
    expected.backward(seed)
    for tensor, reference in zip(tensors, references, strict=True):
        assert isinstance(tensor.grad, torch.Tensor)
        assert relative_error(tensor.grad, reference.grad) <= 1e-12


@ids
def test_float32_stays_float32(row: Row) -> None:
    inputs = [Tensor(a.astype(np.float32), requires_grad=True) for a in row.inputs]
    out = row.call(xp, *inputs)
    first = gradients(out, inputs, np.ones(out.shape, np.float32), create_graph=True)
    wide = [Tensor(a, requires_grad=True) for a in row.inputs]
    expected = gradients(row.call(xp, *wide), wide, np.ones(out.shape))
    assert out.dtype == np.float32
    for gradient, reference in zip(first, expected, strict=True):
        assert gradient.dtype == np.float32
        assert relative_error(gradient.data, reference) <= 5e-6


@ids
def test_plain_arrays_give_plain_arrays(row: Row) -> None:
    out = row.call(xp, *row.inputs)
    assert isinstance(out, np.ndarray | np.generic)


@ids
def test_without_a_gradient_nothing_is_recorded(row: Row) -> None:
    out = row.call(xp, *[Tensor(a) for a in row.inputs])
    assert isinstance(out, Tensor)
    assert not out.requires_grad
    assert out.node is None


@ids
def test_a_gradient_is_asked_of_one_input_only(row: Row) -> None:
    for position in range(len(row.inputs)):
        mixed: list[Any] = [Tensor(a, requires_grad=i == position) for i, a in enumerate(row.inputs)]
        every = [Tensor(a, requires_grad=True) for a in row.inputs]
        seed = np.ones(row.call(xp, *row.inputs).shape)
        row.call(xp, *mixed).backward(seed)
        row.call(xp, *every).backward(seed)
        for i, (tensor, reference) in enumerate(zip(mixed, every, strict=True)):
            assert (tensor.grad is not None) == (i == position)
            assert i != position or np.array_equal(tensor.grad, reference.grad)
