"""Operands as users write them: operators, Python and NumPy numbers on either side, one tensor twice, two dtypes."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest

from twingrad import Tensor, xp

from numerics import central_differences, relative_error

X = np.asarray([[0.45, 1.55, 2.6], [3.1, 0.35, 1.3]])
OPERATORS = {
    "add": operator.add, "subtract": operator.sub, "multiply": operator.mul, "divide": operator.truediv,
    "pow": operator.pow, "remainder": operator.mod,
}  # fmt: skip
UNRECORDED = {
    "floor_divide": operator.floordiv, "less": operator.lt, "less_equal": operator.le, "greater": operator.gt,
    "greater_equal": operator.ge, "equal": operator.eq, "not_equal": operator.ne,
}  # fmt: skip
NUMBERS: list[Any] = [2, 2.0, True, np.float32(2), np.float64(2), np.int64(2), np.asarray(2.0), np.full((2, 1), 2.0)]
NUMBER_IDS = [f"{type(n).__name__}{np.shape(n)}" for n in NUMBERS]


@pytest.mark.parametrize("number", NUMBERS, ids=NUMBER_IDS)
@pytest.mark.parametrize("name", OPERATORS)
def test_operator_with_a_number_on_either_side(name: str, number: Any) -> None:
    apply = OPERATORS[name]
    for f in (lambda t: apply(t, number), lambda t: apply(number, t)):
        t = Tensor(X, requires_grad=True)
        out = f(t)
        assert isinstance(out, Tensor)
        assert np.array_equal(out.data, f(X))
        out.backward(np.ones(X.shape))
        assert relative_error(t.grad, central_differences(f, [X], np.ones(X.shape))[0]) <= 1e-7


@pytest.mark.parametrize("number", [2, 2.0, np.float32(2)], ids=lambda n: type(n).__name__)
@pytest.mark.parametrize("name", OPERATORS)
def test_a_number_keeps_float32(name: str, number: Any) -> None:
    t = Tensor(X.astype(np.float32), requires_grad=True)
    for out in (OPERATORS[name](t, number), OPERATORS[name](number, t)):
        assert out.dtype == np.float32
        t.grad = None
        xp.sum(out).backward()
        assert t.grad.dtype == np.float32


@pytest.mark.parametrize("name", UNRECORDED)
def test_operator_without_a_gradient_is_not_recorded(name: str) -> None:
    t = Tensor(X, requires_grad=True)
    apply = UNRECORDED[name]
    for f in (lambda t: apply(t, 1.25), lambda t: apply(1.25, t), lambda t: apply(t, X)):
        assert isinstance(f(t), Tensor)
        assert not f(t).requires_grad
        assert np.array_equal(f(t).data, f(X))


def test_bit_operators() -> None:
    a, b = np.asarray([5, 12]), np.asarray([3, 2])
    for f in (operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift):
        assert np.array_equal(f(Tensor(a), Tensor(b)).data, f(a, b))
    assert np.array_equal((~Tensor(a)).data, ~a)


def test_unary_operators() -> None:
    t = Tensor(-X, requires_grad=True)
    for out, expected, slope in ((-t, X, -1.0), (+t, -X, 1.0), (abs(t), X, -1.0)):
        t.grad = None
        out.backward(np.ones(X.shape))
        assert np.array_equal(out.data, expected)
        assert np.array_equal(t.grad, np.full(X.shape, slope))


REPEATED = {
    "x * x": lambda x: x * x,
    "x + x": lambda x: x + x,
    "x / x": lambda x: x / x,
    "x ** x": lambda x: x**x,
    "x @ x.T": lambda x: x @ x.T,
    "x.mT @ x": lambda x: x.mT @ x,
    "concat": lambda x: xp.concat([x, x, x]),
    "stack": lambda x: xp.stack([x, x]),
    "where": lambda x: xp.where(X > 1, x, x),
    "maximum": lambda x: xp.maximum(x, x),
    "copysign": lambda x: xp.copysign(x, x),
    "clip": lambda x: xp.clip(x, x - 1.0, x + 1.0),
    "tensordot": lambda x: xp.tensordot(x, x, axes=((0,), (0,))),
    "vecdot": lambda x: xp.vecdot(x, x),
    "outer": lambda x: xp.linalg.outer(x[0, :], x[1, :]),
    "cross": lambda x: xp.linalg.cross(x, xp.flip(x)),
    "solve": lambda x: xp.linalg.solve(x[:, :2], x),
    "diff": lambda x: xp.diff(x, prepend=x, append=x),
    "meshgrid": lambda x: xp.stack(xp.meshgrid(x[0, :], x[0, :])),
    "broadcast_arrays": lambda x: xp.stack(xp.broadcast_arrays(x, x[:1, :], x)),
}


@pytest.mark.parametrize("label", REPEATED)
def test_one_tensor_given_twice(label: str) -> None:
    t = Tensor(X, requires_grad=True)
    out = REPEATED[label](t)
    seed = np.linspace(0.5, 1.5, out.size).reshape(out.shape)
    out.backward(seed)
    expected = central_differences(lambda x: REPEATED[label](Tensor(x)).data, [X], seed)[0]
    assert relative_error(t.grad, expected) <= 1e-7


MIXED = {
    "add": lambda a, b: a + b,
    "multiply": lambda a, b: a * b,
    "matmul": lambda a, b: a @ b.T,
    "concat": lambda a, b: xp.concat([a, b]),
    "where": lambda a, b: xp.where(X > 1, a, b),
    "power": lambda a, b: a**b,
}


@pytest.mark.parametrize("label", MIXED)
def test_gradients_have_the_dtype_of_their_tensor(label: str) -> None:
    a, b = Tensor(X.astype(np.float32), requires_grad=True), Tensor(X, requires_grad=True)
    out = MIXED[label](a, b)
    assert out.dtype == np.float64
    xp.sum(out).backward()
    assert (a.grad.dtype, b.grad.dtype) == (np.float32, np.float64)


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32", "uint8"])
@pytest.mark.parametrize("name", ["sum", "prod", "mean", "max", "min"])
def test_reductions_have_numpys_bits(name: str, dtype: str) -> None:
    values = np.random.default_rng(3).integers(1, 90, (7, 6, 5)).astype(dtype) / np.asarray(8, dtype)
    values = values.astype(dtype)
    for x in (values, values[::2, ::-1], np.moveaxis(values, 0, 2), values[0, 0, :1]):
        for axis in (None, 0, -1, tuple(range(x.ndim)), ()):
            for keepdims in (False, True):
                found = getattr(xp, name)(Tensor(x), axis=axis, keepdims=keepdims).data
                expected = getattr(np, name)(x, axis=axis, keepdims=keepdims)
                assert found.dtype == expected.dtype
                assert np.array_equal(found, expected)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8"])
@pytest.mark.parametrize("name", ["cumulative_sum", "cumulative_prod"])
def test_running_sums_and_products_have_numpys_bits(name: str, dtype: str) -> None:
    values = (np.random.default_rng(3).integers(1, 9, (5, 4)) / 4).astype(dtype)
    plain = {"cumulative_sum": np.cumsum, "cumulative_prod": np.cumprod}[name]
    for x in (values, values[::-1, ::2], values.T):
        for axis in (0, 1, -1):
            found = getattr(xp, name)(Tensor(x), axis=axis).data
            assert found.dtype == plain(x, axis=axis).dtype
            assert np.array_equal(found, plain(x, axis=axis))
    assert np.array_equal(getattr(xp, name)(Tensor(values[0])).data, plain(values[0]))
    with pytest.raises(ValueError, match="axis"):
        getattr(xp, name)(Tensor(values))


def test_reductions_of_nothing() -> None:
    empty = Tensor(np.zeros((0, 3)))
    for name in ("max", "min"):
        with pytest.raises(ValueError, match=rf"xp.{name} of float64\[0, 3\]: zero-size array"):
            getattr(xp, name)(empty)
        with pytest.raises(TypeError, match="dtype"):
            getattr(xp, name)(Tensor(X), dtype=np.float32)
    with pytest.warns(RuntimeWarning, match="Mean of empty slice"), np.errstate(invalid="ignore"):
        assert np.isnan(float(xp.mean(empty)))


def test_sum_in_another_dtype_gives_the_gradient_in_its_own() -> None:
    t = Tensor(X.astype(np.float32), requires_grad=True)
    xp.sum(t, dtype=np.float64).backward()
    assert t.grad.dtype == np.float32


def test_cast_is_recorded_and_its_gradient_comes_back_in_the_old_dtype() -> None:
    t = Tensor(X, requires_grad=True)
    out = xp.astype(t, np.float32)
    assert out.dtype == np.float32
    xp.sum(out * out).backward()
    assert t.grad.dtype == np.float64
    assert np.array_equal(t.grad, 2 * X.astype(np.float32))


@pytest.mark.parametrize("dtype", [np.int64, np.bool_, "int32"], ids=str)
def test_cast_to_no_floating_dtype_leaves_the_tape(dtype: Any) -> None:
    t = Tensor(X, requires_grad=True)
    out = xp.astype(t, dtype)
    assert not out.requires_grad
    if dtype is np.bool_:
        xp.sum(xp.where(out, t, 0)).backward()
        assert np.array_equal(t.grad, np.ones(X.shape))


def test_positional_axis_is_differentiated() -> None:
    for name in ("sum", "mean", "max", "min", "var", "std", "expand_dims", "flip"):
        by_name, by_position = Tensor(X, requires_grad=True), Tensor(X, requires_grad=True)
        f = getattr(xp, name)
        xp.sum(f(by_name, axis=1)).backward()
        xp.sum(f(by_position, 1)).backward()
        assert np.array_equal(by_name.grad, by_position.grad)


def test_keys_may_hold_tensors() -> None:
    t, picks = Tensor(X, requires_grad=True), Tensor(np.asarray([0, 0, 2]))
    for out in (t[:, picks], t[Tensor(X > 1)], t[Tensor(np.asarray([1, 1]))]):
        t.grad = None
        xp.sum(out).backward()
        assert float(np.sum(t.grad)) == out.size


@pytest.mark.parametrize("dtype", [None, np.float32, np.float64, np.int64])
def test_asarray_copies_where_it_is_told_to(dtype: Any) -> None:
    given = Tensor(X.copy(), requires_grad=True)
    copied = xp.asarray(given, dtype=dtype, copy=True)
    assert not np.shares_memory(copied.data, given.data)
    assert copied.dtype == (X.dtype if dtype is None else dtype)
    assert xp.asarray(given) is given
    if copied.requires_grad:
        copied.sum().backward()
        assert np.array_equal(given.grad, np.ones_like(X))


def test_a_tensor_is_not_a_value_to_create_from() -> None:
    with pytest.raises(TypeError, match=r"xp.full takes Python numbers, got a Tensor"):
        xp.full((2,), Tensor(np.asarray(3.0), requires_grad=True))


@pytest.mark.parametrize("join", [xp.concat, xp.stack])
def test_joined_to_integers(join: Any) -> None:
    t = Tensor(X, requires_grad=True)
    xp.sum(join([np.ones(X.shape, np.int64), t, np.ones(X.shape)])).backward()
    assert np.array_equal(t.grad, np.ones_like(X))
