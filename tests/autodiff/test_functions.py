"""`grad`, `value_and_grad` and `gradients`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from twingrad import AutodiffError, Tensor, fused, grad, no_grad, value_and_grad, xp
from twingrad import functional as F
from twingrad.autodiff import gradients

ANALYTIC = [
    ("square", lambda x: x**2, lambda x: 2 * x, lambda x: 2.0),
    ("cube", lambda x: x**3, lambda x: 3 * x**2, lambda x: 6 * x),
    ("sin", xp.sin, np.cos, lambda x: -np.sin(x)),
    ("exp", xp.exp, np.exp, np.exp),
    ("log", xp.log, lambda x: 1 / x, lambda x: -1 / x**2),
    ("tanh", xp.tanh, lambda x: 1 - np.tanh(x) ** 2, lambda x: -2 * np.tanh(x) * (1 - np.tanh(x) ** 2)),
    ("constant", lambda x: x * 0.0 + 3.0, lambda x: 0.0, lambda x: 0.0),
    ("linear", lambda x: 4.0 * x, lambda x: 4.0, lambda x: 0.0),
    ("reciprocal", lambda x: 1.0 / x, lambda x: -1 / x**2, lambda x: 2 / x**3),
]


@pytest.mark.parametrize(("label", "f", "slope", "curvature"), ANALYTIC, ids=[row[0] for row in ANALYTIC])
def test_first_and_second_derivatives(label: str, f: Any, slope: Any, curvature: Any) -> None:
    for x in (0.7, 1.9):
        assert float(grad(f)(x)) == pytest.approx(slope(x), rel=1e-14)
        assert float(grad(grad(f))(x)) == pytest.approx(curvature(x), rel=1e-13)


def test_fourth_derivative() -> None:
    f: Any = lambda x: xp.sin(2.0 * x)  # noqa: E731
    for _ in range(4):
        f = grad(f)
    assert float(f(0.3)) == pytest.approx(16 * np.sin(0.6), rel=1e-13)


@pytest.mark.parametrize("number", [3.0, 3, np.float32(3), np.float64(3), np.asarray(3.0)], ids=repr)
def test_plain_arguments_give_plain_results(number: Any) -> None:
    value, slope = value_and_grad(lambda w: w**2 - 10 * w + 25)(number)
    assert type(value) is np.ndarray
    assert type(slope) is np.ndarray
    assert (float(value), float(slope)) == (4.0, -4.0)
    assert slope.dtype == (np.float32 if isinstance(number, np.float32) else np.float64)


def test_tensors_give_tensors() -> None:
    value, slope = value_and_grad(lambda w: w**2)(Tensor(np.asarray(3.0)))
    assert isinstance(value, Tensor)
    assert isinstance(slope, Tensor)


def test_every_library(library: Any) -> None:
    x = library.asarray([1.0, 2.0, 3.0])
    value, slope = value_and_grad(lambda x: xp.sum(x * x * x))(x)
    assert np.allclose(library.numpy(value), 36.0)
    assert np.allclose(library.numpy(slope), [3.0, 12.0, 27.0])


def test_argnums() -> None:
    def f(a: Any, b: Any, *, scale: float = 1.0) -> Any:
        return xp.sum(a * a * b) * scale

    a, b = np.asarray([1.0, 2.0]), np.asarray([3.0, 4.0])
    assert np.array_equal(grad(f)(a, b), 2 * a * b)
    assert np.array_equal(grad(f, 1)(a, b, scale=2.0), 2 * a * a)
    assert np.array_equal(grad(f, -1)(a, b), a * a)
    both = grad(f, (1, 0))(a, b)
    assert isinstance(both, tuple)
    assert np.array_equal(both[0], a * a)
    assert np.array_equal(both[1], 2 * a * b)
    same = grad(f, (0, -2))(a, b)
    assert np.array_equal(same[0], same[1])
    for bad in (2, -3, (0, 5)):
        with pytest.raises(ValueError, match=r"argnums .* of a call with 2 positional"):
            grad(f, bad)(a, b)
    for named in ("a", [0, 1]):
        with pytest.raises(TypeError, match="argnums is the position of an argument or a tuple of positions"):
            grad(f, named)(a, b)  # type: ignore[arg-type]


NO_SCALAR = [
    (lambda x: x, r"shape \(2,\); sum it, or take the jacobian"),
    (lambda x: 3.0, "a float"),
    (lambda x: None, "a NoneType"),
    (lambda x: np.asarray(1.0), "a plain array"),
    (lambda x: x.numpy().sum(), "a plain array"),
    (lambda x: (x.sum(), x.sum()), "a tuple"),
]


@pytest.mark.parametrize(("f", "described"), NO_SCALAR, ids=[row[1] for row in NO_SCALAR])
def test_a_function_that_returns_no_0_d_tensor(f: Any, described: str) -> None:
    with pytest.raises(AutodiffError, match=f"0-d result, got .*{described}"):
        grad(f)(np.ones(2))


def test_integers_cannot_be_differentiated_by() -> None:
    with pytest.raises(TypeError, match="int64"):
        grad(lambda x: xp.sum(x))(np.asarray([1, 2]))


def test_the_result_can_be_written_to_and_aliases_nothing() -> None:
    x, y = np.ones(3), np.ones(3)
    of_x, of_y = grad(lambda x, y: xp.sum(x + y), (0, 1))(x, y)
    of_x *= 5.0
    assert np.array_equal(of_y, np.ones(3))
    assert np.array_equal(x, np.ones(3))


def test_an_enclosing_no_grad_does_not_hide_the_function() -> None:
    with no_grad():
        assert float(grad(lambda w: w**2)(3.0)) == 6.0
        assert float(grad(grad(lambda w: w**3))(2.0)) == 12.0
        x = Tensor(np.asarray(3.0), requires_grad=True)
        value, slope = value_and_grad(lambda w: w**2)(x)
        assert not value.requires_grad
        assert not slope.requires_grad
        assert float(slope) == 6.0
        assert not (x * x).requires_grad


def test_a_no_grad_inside_the_function_hides_what_it_holds() -> None:
    def f(w: Any) -> Any:
        with no_grad():
            factor = w * 2.0
        return w * factor

    assert float(grad(f)(3.0)) == 6.0


def test_leaves_outside_are_not_touched() -> None:
    weight, x = Tensor(np.asarray(2.0), requires_grad=True), Tensor(np.asarray(3.0), requires_grad=True)
    grad(lambda a: a * weight)(1.0)
    grad(lambda a: a * weight)(x)
    assert weight.grad is None
    assert x.grad is None


def test_a_gradient_can_be_part_of_a_loss() -> None:
    x = Tensor(np.asarray(3.0), requires_grad=True)
    slope = grad(lambda w: w**3)(x)
    (slope * slope).backward()
    assert float(x.grad) == 2 * 27 * 18


def test_a_gradient_by_one_argument_is_differentiable_in_another() -> None:
    f: Any = lambda a: a * grad(lambda x, b: b * x * x)(2.0, a)  # noqa: E731
    assert float(grad(f)(5.0)) == 8 * 5.0


def test_hessian_vector_product_of_a_quadratic() -> None:
    matrix = np.asarray([[2.0, 1.0], [1.0, 3.0]])
    x, v = np.asarray([0.5, -1.0]), np.asarray([1.0, 2.0])
    slope = grad(lambda x: 0.5 * (x @ matrix @ x))
    product = grad(lambda x: xp.sum(slope(x) * v))(x)
    assert np.allclose(product, matrix @ v, rtol=1e-15)


def test_a_fused_operation_has_no_second_derivative_and_says_what_to_do() -> None:
    f: Any = lambda x: xp.sum(F.linear(x, np.ones((2, 2))) ** 2)  # noqa: E731
    twice = grad(lambda x: xp.sum(grad(f)(x) ** 2))
    if "cpu" in F.linear.kernels and _fused_here():
        with pytest.raises(AutodiffError, match=r'fused kernel of linear .*fused\("never"\)'):
            twice(np.ones((1, 2)))
    with fused("never"):
        assert np.allclose(twice(np.ones((1, 2))), [[128.0, 128.0]])


def _fused_here() -> bool:
    from twingrad.kernels import cpu

    return cpu.unavailable() is None and cpu.blas() is None


def test_gradients_of_unused_targets_are_zeros(library: Any) -> None:
    x, unused = (Tensor(library.asarray([1.0, 2.0]), requires_grad=True) for _ in range(2))
    out = xp.sum(x * x)
    for create_graph in (False, True):
        found, zeros = gradients(out, [x, unused], create_graph=create_graph)
        assert np.array_equal(library.numpy(found), [2.0, 4.0])
        assert np.array_equal(library.numpy(zeros), [0.0, 0.0])
        assert isinstance(zeros, Tensor) == create_graph


def test_gradients_keeps_the_tape_and_touches_no_leaf() -> None:
    x = Tensor(np.asarray([1.0, 2.0]), requires_grad=True)
    out = (x * x).sum()
    for _ in range(2):
        assert np.array_equal(gradients(out, [x])[0], [2.0, 4.0])
    assert x.grad is None
    out.backward()
    with pytest.raises(AutodiffError, match="second time"):
        gradients(out, [x])


def test_gradients_by_intermediate_tensors_takes_them_as_independent() -> None:
    x = Tensor(np.asarray(3.0), requires_grad=True)
    square = x * x
    out = square * x
    by_square, by_x = gradients(out, [square, x])
    assert (float(by_square), float(by_x)) == (3.0, 9.0)
    assert float(gradients(out, [x])[0]) == 27.0
    assert float(gradients(out, [out])[0]) == 1.0
    assert [float(g) for g in gradients(out, [x, x])] == [27.0, 27.0]


def test_gradients_with_a_seed() -> None:
    x = Tensor(np.asarray([1.0, 2.0]), requires_grad=True)
    assert np.array_equal(gradients(x * x, [x], np.asarray([1.0, 0.5]))[0], [2.0, 2.0])
    with pytest.raises(AutodiffError, match="needs a seed"):
        gradients(x * x, [x])


def test_the_course_s_quadratic() -> None:
    slope = grad(lambda w: w**2 - 10 * w + 25)
    for kind, expected, digits in ((np.float64, 4.999999991753459, 0), (np.float32, 4.9999886, 5e-8)):
        w = kind(0)
        for step in range(1001):
            w = kind(w - kind(0.01) * slope(w)[()])
            assert step or float(w) == pytest.approx(0.1, rel=1e-7)
        assert abs(float(w) - expected) <= digits
