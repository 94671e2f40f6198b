"""Softmax cross-entropy from logits: values, gradients, extremes, and labels that do not exist."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from twingrad import Tensor
from twingrad import functional as F

from numerics import central_differences, relative_error

REDUCTIONS = ("mean", "sum", "none")
SHAPES = [(4, 3), (1, 1), (1, 10), (33, 10), (7, 129)]


def formula(logits: Any, target: Any, reduction: str) -> Any:
    """The losses with math.fsum and Python floats, one example at a time."""
    losses = []
    for row, label in zip(np.asarray(logits, np.float64).tolist(), target.tolist(), strict=True):
        top = max(row)
        losses.append(math.log(math.fsum(math.exp(z - top) for z in row)) - (row[label] - top))
    return {"mean": np.mean, "sum": np.sum, "none": np.asarray}[reduction](losses)


def case(n: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng([n, classes])
    return rng.normal(0.0, 3.0, (n, classes)), rng.integers(0, classes, n)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_values_and_gradients(shape: tuple[int, int], reduction: str, path: str) -> None:
    logits, target = case(*shape)
    tensor = Tensor(logits, requires_grad=True)
    out = F.softmax_cross_entropy(tensor, target, reduction=reduction)
    expected = formula(logits, target, reduction)
    assert out.shape == np.shape(expected)
    assert np.allclose(out.data, expected, rtol=1e-14, atol=1e-15)
    seed = np.linspace(0.5, 1.5, out.size).reshape(out.shape)
    out.backward(seed)
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    weight = seed[:, None] if reduction == "none" else seed / (shape[0] if reduction == "mean" else 1)
    assert np.allclose(tensor.grad, (softmax - np.eye(shape[1])[target]) * weight, rtol=1e-13, atol=1e-16)
    if math.prod(shape) < 100:
        f: Any = lambda z: F.softmax_cross_entropy(z, target, reduction=reduction)  # noqa: E731
        assert np.allclose(tensor.grad, central_differences(f, [logits], seed)[0], atol=1e-9)


EXTREMES = {
    "right by far": ([[1e4, 0.0, -1e4]], 0, 0.0, [0.0, 0.0, 0.0]),
    "wrong by far": ([[1e4, 0.0, -1e4]], 2, 2e4, [1.0, 0.0, -1.0]),
    "all large": ([[1e4, 1e4, 1e4]], 1, math.log(3), [1 / 3, -2 / 3, 1 / 3]),
    "all small": ([[-1e4, -1e4, -1e4]], 1, math.log(3), [1 / 3, -2 / 3, 1 / 3]),
    "masked classes": ([[0.0, -math.inf, 0.0]], 0, math.log(2), [-0.5, 0.0, 0.5]),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("label", EXTREMES)
def test_extreme_logits(label: str, dtype: str, path: str) -> None:
    logits, target, loss, gradient = EXTREMES[label]
    tensor = Tensor(np.asarray(logits, dtype), requires_grad=True)
    out = F.softmax_cross_entropy(tensor, np.asarray([target]))
    out.backward()
    assert out.dtype == dtype
    assert float(out) == pytest.approx(loss, rel=1e-6)
    assert tensor.grad[0].tolist() == pytest.approx(gradient, rel=1e-6)


@pytest.mark.filterwarnings("ignore:invalid value")
def test_nan_stays_with_its_example(path: str) -> None:
    losses = F.softmax_cross_entropy(np.asarray([[math.nan, 0.0], [0.0, 0.0]]), np.asarray([1, 1]), reduction="none")
    assert math.isnan(losses[0])
    assert losses[1] == pytest.approx(math.log(2))


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_every_library(reduction: str, library: Any) -> None:
    logits, target = case(6, 4)
    tensor = Tensor(library.asarray(logits), requires_grad=True)
    out = F.softmax_cross_entropy(tensor, library.asarray(target), reduction=reduction)
    assert str(library.numpy(out).dtype) == library.floats[-1]
    assert relative_error(library.numpy(out), formula(logits, target, reduction)) <= library.tolerance()
    out.backward(library.asarray(np.ones(out.shape)))
    wide = Tensor(logits, requires_grad=True)
    F.softmax_cross_entropy(wide, target, reduction=reduction).backward(np.ones(out.shape))
    assert relative_error(library.numpy(tensor.grad), wide.grad) <= library.tolerance()


@pytest.mark.oracle
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_against_torch(reduction: str, path: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of losses; it comes with the extra `oracle`")
    for scale in (1.0, 1e4):
        logits, target = case(33, 10)
        ours, theirs = Tensor(logits * scale, requires_grad=True), torch.tensor(logits * scale, requires_grad=True)
        out = F.softmax_cross_entropy(ours, target, reduction=reduction)
        reference = torch.nn.functional.cross_entropy(theirs, torch.tensor(target), reduction=reduction)
        assert relative_error(out.data, reference.detach().numpy()) <= 1e-14
        seed = np.ones(out.shape)
        out.backward(seed)
        reference.backward(torch.tensor(seed))
        assert np.allclose(ours.grad, theirs.grad.numpy(), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "uint64"])
def test_labels_of_every_integer_type(dtype: str) -> None:
    logits, target = case(6, 4)
    found = F.softmax_cross_entropy(logits, target.astype(dtype))
    assert float(found) == pytest.approx(float(formula(logits, target, "mean")), rel=1e-14)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint64"])
def test_labels_of_a_type_too_narrow_for_the_number_of_classes(dtype: str, library: Any) -> None:
    logits, target = case(8, 300)[0], np.arange(8)
    loss = F.softmax_cross_entropy(library.asarray(logits), library.asarray(target, dtype))
    assert np.allclose(library.numpy(loss), formula(logits, target, "mean"), rtol=library.tolerance())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_loss_in_arithmetic(dtype: str, path: str) -> None:
    """NumPy's arithmetic on 0-d arrays gives scalars: the gradient of the loss arrives as one."""
    logits, target = case(4, 3)
    logits = logits.astype(dtype)
    alone, scaled, twice = (Tensor(logits, requires_grad=True) for _ in range(3))
    F.softmax_cross_entropy(alone, target).backward()
    (2.0 * F.softmax_cross_entropy(scaled, target)).backward()
    loss = F.softmax_cross_entropy(twice, target)
    (loss + loss).backward()
    assert np.array_equal(scaled.grad, 2 * alone.grad)
    assert np.array_equal(twice.grad, 2 * alone.grad)
    number = Tensor(np.asarray(2.0, dtype), requires_grad=True)
    (3.0 * F.relu(number)).backward()
    assert number.grad == 3.0


def test_labels_may_be_a_tensor(path: str) -> None:
    logits, target = case(6, 4)
    tensor = Tensor(logits, requires_grad=True)
    out = F.softmax_cross_entropy(tensor, Tensor(target))
    out.backward()
    assert np.array_equal(out.data, F.softmax_cross_entropy(logits, target))


BAD = [
    (lambda z, t: (z, np.asarray([0, 4, 0]), {}), ValueError, r"lie in \[0, 4\).*got 4"),
    (lambda z, t: (z, np.asarray([0, -1, 0]), {}), ValueError, r"lie in \[0, 4\).*got -1"),
    (lambda z, t: (z, t[:2], {}), ValueError, r"\(3, 4\) and \(2,\)"),
    (lambda z, t: (z, t[:, None], {}), ValueError, r"\(3, 4\) and \(3, 1\)"),
    (lambda z, t: (z[0], t, {}), ValueError, r"\(4,\) and \(3,\)"),
    (lambda z, t: (z, np.ones((3, 5)), {}), ValueError, r"\(3, 4\) and \(3, 5\)"),
    (lambda z, t: (z, t.astype(np.float64), {}), TypeError, r"integer class numbers.*float64"),
    (lambda z, t: (z, t > 0, {}), TypeError, r"integer class numbers.*bool"),
    (lambda z, t: (z, t, {"reduction": "average"}), ValueError, "mean, sum, none; got 'average'"),
    (lambda z, t: (z, t, {"reduction": None}), ValueError, "got None"),
]


@pytest.mark.parametrize(("spoil", "error", "message"), BAD, ids=[row[2] for row in BAD])
def test_bad_input(spoil: Any, error: type[Exception], message: str, path: str) -> None:
    logits, target, options = spoil(np.zeros((3, 4)), np.asarray([0, 1, 3]))
    with pytest.raises(error, match=message):
        F.softmax_cross_entropy(logits, target, **options)


def test_an_empty_batch(path: str) -> None:
    logits, target = np.zeros((0, 4)), np.zeros(0, np.int64)
    assert F.softmax_cross_entropy(logits, target, reduction="none").shape == (0,)
    assert float(F.softmax_cross_entropy(logits, target, reduction="sum")) == 0.0
