"""Linear and ReLU: values and gradients on both paths and over every library."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from twingrad import Tensor, xp
from twingrad import functional as F

from numerics import central_differences, relative_error, same_bits

SHAPES = [(4, 3, 5), (1, 1, 1), (7, 16, 2), (0, 3, 2), (3, 0, 2), (3, 2, 0)]
"""Batch, features in, features out."""


def case(n: int, fan_in: int, fan_out: int) -> list[np.ndarray]:
    rng = np.random.default_rng([n, fan_in, fan_out])
    return [rng.normal(size=s) for s in ((n, fan_in), (fan_out, fan_in), (fan_out,))]


@pytest.mark.parametrize("with_bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_linear(shape: tuple[int, int, int], with_bias: bool, path: str) -> None:
    arrays = case(*shape)[: 2 + with_bias]
    tensors = [Tensor(a, requires_grad=True) for a in arrays]
    out = F.linear(*tensors)
    x, w = arrays[:2]
    expected = np.einsum("ni,oi->no", x, w) + (arrays[2] if with_bias else 0.0)
    assert out.shape == (shape[0], shape[2])
    assert relative_error(out.data, expected) <= 1e-14
    seed = np.random.default_rng(1).normal(size=expected.shape)
    out.backward(seed)
    gradients = (seed @ w, seed.T @ x, seed.sum(axis=0))
    for tensor, gradient in zip(tensors, gradients, strict=False):
        assert relative_error(tensor.grad, gradient) <= 1e-14


@pytest.mark.parametrize("needed", [(0,), (1,), (2,), (0, 2)], ids=str)
def test_linear_gives_only_the_gradients_asked_for(needed: tuple[int, ...], path: str) -> None:
    arrays = case(4, 3, 5)
    tensors = [Tensor(a, requires_grad=i in needed) for i, a in enumerate(arrays)]
    F.linear(*tensors).backward(np.ones((4, 5)))
    assert [t.grad is not None for t in tensors] == [i in needed for i in range(3)]


def test_linear_takes_its_arguments_by_name(path: str) -> None:
    x, weight, bias = case(4, 3, 5)
    expected = F.linear(x, weight, bias)
    tensor = Tensor(bias, requires_grad=True)
    out = F.linear(weight=weight, x=x, bias=tensor)
    assert isinstance(out, Tensor)
    assert np.array_equal(out.data, expected)
    out.backward(np.ones((4, 5)))
    assert np.array_equal(tensor.grad, np.full(5, 4.0))


@pytest.mark.parametrize("operation", ["linear", "relu"])
def test_over_every_library(operation: str, library: Any) -> None:
    arrays = case(4, 3, 5) if operation == "linear" else case(4, 3, 5)[:1]
    function = getattr(F, operation)
    given = [library.asarray(a) for a in arrays]
    tensors = [Tensor(a, requires_grad=True) for a in given]
    out, plain = function(*tensors), function(*given)
    reference = [Tensor(a, requires_grad=True) for a in arrays]
    expected = function(*reference)
    assert not isinstance(plain, Tensor)
    assert np.array_equal(library.numpy(plain), library.numpy(out))
    assert relative_error(library.numpy(out), expected.data) <= library.tolerance()
    seed = np.random.default_rng(1).normal(size=expected.shape)
    out.backward(library.asarray(seed))
    expected.backward(seed)
    for tensor, wide in zip(tensors, reference, strict=True):
        assert str(library.numpy(tensor.grad).dtype) == library.floats[-1]
        assert relative_error(library.numpy(tensor.grad), wide.grad) <= library.tolerance()


BAD_LINEAR = [
    (((4, 2), (5, 3), (5,)), r"3 features takes x of shape \(N, 3\), got \(4, 2\)"),
    (((3,), (5, 3), (5,)), r"\(N, 3\), got \(3,\)"),
    (((2, 4, 3), (5, 3), (5,)), r"\(N, 3\), got \(2, 4, 3\)"),
    (((4, 3), (3,), (3,)), r"weight of shape \(out, in\), got \(3,\)"),
    (((4, 3), (5, 3), (3,)), r"5 outputs takes a bias of shape \(5,\), got \(3,\)"),
    (((4, 3), (5, 3), (1,)), r"bias of shape \(5,\), got \(1,\)"),
    (((4, 3), (5, 3), (4, 5)), r"bias of shape \(5,\), got \(4, 5\)"),
]


@pytest.mark.parametrize(("shapes", "message"), BAD_LINEAR, ids=[row[1] for row in BAD_LINEAR])
def test_linear_of_shapes_that_do_not_fit(shapes: Any, message: str, path: str) -> None:
    with pytest.raises(ValueError, match=message):
        F.linear(*[np.ones(s) for s in shapes])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_relu_of_special_values(dtype: Any, path: str) -> None:
    x = np.asarray([-1.0, -0.0, 0.0, 2.0, np.nan, np.inf, -np.inf, 1e-45, -1e-45], dtype)
    expected = np.asarray([0.0, 0.0, 0.0, 2.0, np.nan, np.inf, 0.0, 1e-45, 0.0], dtype)
    assert same_bits(F.relu(Tensor(x, requires_grad=True)).data, expected)
    assert same_bits(F.relu(x), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_relu_passes_the_gradient_where_its_input_is_positive_or_nan(dtype: Any, path: str) -> None:
    x = Tensor(np.asarray([-1.0, -0.0, 0.0, 2.0, np.nan, np.inf, -np.inf], dtype), requires_grad=True)
    F.relu(x).backward(np.asarray([1.0, 1.0, np.inf, -3.0, 5.0, 1.0, np.nan], dtype))
    assert same_bits(x.grad, np.asarray([0.0, 0.0, 0.0, -3.0, 5.0, 1.0, 0.0], dtype))


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (2, 3, 4), (1001,)], ids=str)
def test_relu_of_every_shape(shape: tuple[int, ...], path: str) -> None:
    x = Tensor(np.random.default_rng(2).normal(size=shape), requires_grad=True)
    out = F.relu(x)
    out.backward(np.ones(shape))
    assert np.array_equal(out.data, np.maximum(x.data, 0.0))
    assert np.array_equal(x.grad, x.data > 0)
    assert type(out.data) is np.ndarray


def test_central_differences_through_both(path: str) -> None:
    x, weight, bias = case(4, 3, 5)
    tensors = [Tensor(a, requires_grad=True) for a in (x, weight, bias)]
    f: Any = lambda x, w, b: xp.sum(F.relu(F.linear(x, w, b)))  # noqa: E731
    f(*tensors).backward()
    for tensor, numeric in zip(tensors, central_differences(f, (x, weight, bias), np.ones(())), strict=True):
        assert relative_error(tensor.grad, numeric) <= 1e-7


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_against_torch(dtype: str, path: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of layers; it comes with the extra `oracle`")
    arrays = [a.astype(dtype) for a in case(33, 17, 9)]
    ours = [Tensor(a, requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    out, reference = F.relu(F.linear(*ours)), torch.relu(torch.nn.functional.linear(*theirs))
    assert relative_error(out.data, reference.detach().numpy()) <= (1e-6 if dtype == "float32" else 1e-15)
    xp.sum(out).backward()
    reference.sum().backward()
    for mine, tensor in zip(ours, theirs, strict=True):
        assert mine.grad.dtype == dtype
        assert relative_error(mine.grad, tensor.grad.numpy()) <= (1e-6 if dtype == "float32" else 1e-15)


SEEDS = {
    "broadcast": lambda shape: np.broadcast_to(np.float64(2.0), shape),
    "transposed": lambda shape: np.arange(float(np.prod(shape))).reshape(shape[::-1]).T,
    "reversed": lambda shape: np.arange(float(np.prod(shape)))[::-1].reshape(shape)[::-1],
    "read-only": lambda shape: np.broadcast_to(np.arange(float(shape[1])), shape),
    "float32": lambda shape: np.ones(shape, np.float32),
}


@pytest.mark.parametrize("label", SEEDS)
@pytest.mark.parametrize("operation", ["linear", "relu", "dropout", "batch_norm"])
def test_a_seed_of_any_layout(operation: str, label: str, path: str) -> None:
    """The upstream gradient comes as the operation behind left it: a view, broadcast, of another dtype."""
    vector = np.ones(5)
    call: Any = {
        "linear": lambda x: F.linear(x, np.arange(30.0).reshape(6, 5)),
        "relu": F.relu,
        "dropout": lambda x: F.dropout(x, p=0.4, seed=1, stream=2, step=3),
        "batch_norm": lambda x: F.batch_norm(x, vector, vector, np.zeros(5), np.ones(5), training=False),
    }[operation]
    found, expected = (Tensor(case(4, 5, 6)[0], requires_grad=True) for _ in range(2))
    out = call(found)
    seed = SEEDS[label](out.shape)
    out.backward(seed)
    call(expected).backward(np.ascontiguousarray(seed, np.float64))
    assert np.array_equal(found.grad, expected.grad)


@pytest.mark.parametrize("shape", [(1, 1), (3, 3)], ids=str)
def test_linear_of_one_tensor_thrice(shape: tuple[int, int], path: str) -> None:
    x = Tensor(case(*shape, 1)[0], requires_grad=True)
    seed = np.arange(1.0, 1.0 + x.size).reshape(shape)
    F.linear(x, x, x[0]).backward(seed)
    f: Any = lambda a: F.linear(a, a, a[0])  # noqa: E731
    assert relative_error(x.grad, central_differences(f, [x.data], seed)[0]) <= 1e-7
