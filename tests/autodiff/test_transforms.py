"""`vjp`, `jvp`, `jacobian`, `hvp`, and transforms within transforms."""

from __future__ import annotations

import threading
from typing import Any

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis.extra import numpy as arrays

import twingrad as tg
from twingrad import AutodiffError, Tensor, nn, no_grad, xp

from numerics import central_differences, relative_error

X = np.asarray([[0.5, 1.5, -0.25], [2.0, 0.75, 1.0]])
FUNCTIONS: dict[str, Any] = {
    "elementwise": lambda x: xp.exp(xp.sin(x)),
    "reduction": lambda x: xp.sum(x * x, axis=0),
    "product": lambda x: x @ x.T,
    "scalar": lambda x: xp.mean(x**3),
    "shape": lambda x: xp.reshape(xp.tanh(x), (3, 2))[1:, :],
    "linear": lambda x: 2.0 * x[:, ::2],
    "constant": lambda x: x * 0.0 + 1.0,
    "empty": lambda x: x[:, 3:],
}


@pytest.fixture(params=FUNCTIONS)
def function(request: pytest.FixtureRequest) -> Any:
    return FUNCTIONS[request.param]


def numeric_jacobian(f: Any, x: np.ndarray) -> np.ndarray:
    plain = lambda x: np.asarray(f(Tensor(x)).data)  # noqa: E731
    out = plain(x)
    rows = [central_differences(plain, [x], seed.reshape(out.shape))[0] for seed in np.eye(out.size)]
    return np.asarray(rows).reshape(out.shape + x.shape)


def test_jacobian_is_that_of_differences(function: Any) -> None:
    found = tg.jacobian(function)(X)
    assert type(found) is np.ndarray
    assert relative_error(found, numeric_jacobian(function, X)) <= 1e-8


def test_vjp_and_jvp_are_the_jacobian_s_products(function: Any) -> None:
    jacobian = tg.jacobian(function)(X)
    out, pull = tg.vjp(function, X)
    u, v = np.cos(np.arange(out.size, dtype=float)).reshape(out.shape), np.sin(X)
    assert relative_error(pull(u)[0], np.tensordot(u, jacobian, axes=u.ndim)) <= 1e-14
    again, pushed = tg.jvp(function, X, v)
    assert np.array_equal(again, out)
    assert relative_error(pushed, np.tensordot(jacobian, v, axes=2)) <= 1e-14
    assert type(out) is type(pushed) is type(pull(u)[0]) is np.ndarray
    assert np.array_equal(pull(2 * u)[0], 2 * pull(u)[0]), "a second pull"


@hypothesis.given(arrays.arrays(np.float64, st.integers(1, 5), elements=st.floats(-2, 2)), st.integers(0, 2**32 - 1))
def test_hvp_is_the_hessian_times_a_vector(x: np.ndarray, seed: int) -> None:
    v = np.random.default_rng(seed).normal(size=x.shape)
    f: Any = lambda x: xp.sum(xp.sin(x)) * xp.sum(x**3)  # noqa: E731
    hessian = tg.jacobian(tg.grad(f))(x)
    assert np.allclose(hessian, hessian.T, rtol=1e-12, atol=1e-12)
    assert np.allclose(tg.hvp(f, x, v), hessian @ v, rtol=1e-10, atol=1e-10)
    slope = lambda x: tg.grad(f)(x)  # noqa: E731
    assert np.allclose((slope(x + 1e-5 * v) - slope(x - 1e-5 * v)) / 2e-5, hessian @ v, rtol=1e-6, atol=1e-6)


@pytest.mark.oracle
def test_the_same_as_pytorch_s() -> None:
    torch = pytest.importorskip("torch")
    functional = torch.autograd.functional
    ours: Any = lambda a, b: xp.sum(xp.tanh(a @ b) ** 2)  # noqa: E731
    theirs: Any = lambda a, b: torch.sum(torch.tanh(a @ b) ** 2)  # noqa: E731
    a, b = X, np.sin(X.T)
    ta, tb = torch.from_numpy(a), torch.from_numpy(b)
    found = tg.hvp(ours, (a, b), (b.T, a.T))
    expected = functional.hvp(theirs, (ta, tb), (tb.T, ta.T))[1]
    jacobians = tg.jacobian(lambda a, b: xp.tanh(a @ b), (0, 1))(a, b)
    torchs = functional.jacobian(lambda a, b: torch.tanh(a @ b), (ta, tb))
    pushed = tg.jvp(lambda a, b: xp.tanh(a @ b), (a, b), (b.T, a.T))[1]
    torch_pushed = functional.jvp(lambda a, b: torch.tanh(a @ b), (ta, tb), (tb.T, ta.T))[1]
    for one, other in zip((*found, *jacobians, pushed), (*expected, *torchs, torch_pushed), strict=True):
        assert relative_error(one, other.numpy()) <= 1e-14


def test_every_library(library: Any) -> None:
    x, v = library.asarray([0.5, 1.0]), library.asarray([1.0, -1.0])
    f: Any = lambda x: xp.sum(x**3)  # noqa: E731
    assert np.allclose(library.numpy(tg.jacobian(lambda x: x**2)(x)), np.diag([1.0, 2.0]))
    assert np.allclose(library.numpy(tg.hvp(f, x, v)), [3.0, -6.0])
    assert np.allclose(library.numpy(tg.jvp(lambda x: x**2, x, v)[1]), [1.0, -2.0])
    out, pull = tg.vjp(lambda x: x**2, x)
    assert np.allclose(library.numpy(pull(out)[0]), [0.25, 2.0])


def test_several_results_and_arguments() -> None:
    out, pull = tg.vjp(lambda x, y: (x * y, x + y), np.asarray(2.0), 3.0)
    assert out == (6.0, 5.0)
    assert pull((np.asarray(1.0), np.asarray(10.0))) == (13.0, 12.0)
    with pytest.raises(ValueError, match="vjp needs a tuple of a cotangent for each of 2 arrays, got 1"):
        pull((np.asarray(1.0),))
    with pytest.raises(ValueError, match="for each of 2 arrays, got a float"):
        pull(1.0)


REFUSED = {
    "vjp without arguments": (lambda: tg.vjp(lambda: 1.0), TypeError, "arguments at which"),
    "vjp of a plain result": (lambda: tg.vjp(lambda x: np.ones(2), X), AutodiffError, "a plain array"),
    "jacobian of several": (
        lambda: tg.jacobian(lambda x: (x, x))(X),
        AutodiffError,
        "returns one array .* got a tuple",
    ),
    "jacobian of text": (lambda: tg.jacobian(lambda x: "x")(X), AutodiffError, "got a str"),
    "jvp of several": (lambda: tg.jvp(lambda x: (x, x), X, X), AutodiffError, "one array, got a tuple"),
    "a cotangent that does not fit": (
        lambda: tg.vjp(lambda x: x, X)[1](np.ones(3)),
        ValueError,
        r"a cotangent of vjp has shape \(3,\).*\(2, 3\)",
    ),
    "a vector that does not fit": (
        lambda: tg.hvp(lambda x: xp.sum(x**3), X, np.ones(3)),
        ValueError,
        r"a vector of hvp has shape \(3,\).*\(2, 3\)",
    ),
    "too few vectors": (lambda: tg.hvp(lambda x, y: x * y, (1.0, 2.0), (1.0,)), ValueError, "each of 2 arrays, got 1"),
    "a tangent that does not fit": (
        lambda: tg.jvp(lambda x: x, X, np.ones(3)),
        ValueError,
        r"a tangent of jvp has shape \(3,\).*\(2, 3\)",
    ),
    "a position that is not there": (lambda: tg.grad(lambda x: x, 1)(X), ValueError, "must be given by position"),
    "integers": (lambda: tg.vjp(lambda x: x, np.asarray([1, 2])), TypeError, "int64; cast it first"),
    "complex": (lambda: tg.jacobian(lambda x: x)(np.asarray([1j])), TypeError, "complex128.* real and imaginary"),
}


@pytest.mark.parametrize("label", REFUSED)
def test_what_is_refused(label: str) -> None:
    call, error, message = REFUSED[label]
    with pytest.raises(error, match=message):
        call()


def test_python_numbers_all_through() -> None:
    assert tg.vjp(lambda x: x**2, 3.0)[1](2.0) == (12.0,)
    assert tg.jvp(lambda x: x**2, 3.0, 2) == (9.0, 12.0)
    assert tg.hvp(lambda x: x**3, 3.0, 2.0) == 36.0
    x = Tensor(np.asarray(3.0, np.float32), requires_grad=True)
    (x * x).backward(2.0)
    assert (x.grad, x.grad.dtype) == (12.0, np.float32)


# -- transforms within transforms -------------------------------------------------------------------------------------

NESTED = {
    "an argument used within": (lambda x: x * tg.grad(lambda y: x * y)(1.0), 2.0, 4.0),
    "two levels up": (lambda x: tg.grad(lambda y: y * tg.grad(lambda z: x * x * y * z)(1.0))(1.0), 3.0, 12.0),
    "what was computed of it": (
        lambda x: (lambda h: tg.grad(lambda y: xp.sin(h) * y**2)(1.0))(x * x), 0.5, 2 * np.cos(0.25),
    ),
    "its value": (lambda x: tg.value_and_grad(lambda y: x * y)(5.0)[0], 3.0, 5.0),
    "vjp": (lambda x: tg.vjp(lambda y: x * y**2, 3.0)[1](np.asarray(1.0))[0], 2.0, 6.0),
    "jacobian": (lambda x: xp.sum(tg.jacobian(lambda y: x * y**2)(np.asarray([1.0, 2.0]))), 2.0, 6.0),
    "hvp": (lambda x: tg.hvp(lambda y: x**2 * y**3, np.asarray(1.0), np.asarray(1.0)), 3.0, 36.0),
    "jvp": (lambda x: tg.jvp(lambda y: x**2 * y, np.asarray(1.0), np.asarray(1.0))[1], 3.0, 6.0),
    "not used within": (lambda x: x * tg.grad(lambda y: y**2)(3.0), 2.0, 6.0),
    "checkpointed": (lambda x: tg.grad(tg.checkpoint(lambda y: x * y**2))(3.0), 2.0, 6.0),
}  # fmt: skip


@pytest.mark.parametrize("label", NESTED)
def test_an_outer_gradient_passes_through_an_inner_one(label: str) -> None:
    f, x, expected = NESTED[label]
    found = tg.grad(f)(x)
    assert type(found) is np.ndarray
    assert float(found) == pytest.approx(expected, rel=1e-14)
    alias = Tensor(np.asarray(x), requires_grad=True)
    tg.value_and_grad(f)(alias)[0].backward()
    assert float(alias.grad) == pytest.approx(expected, rel=1e-14)


def test_no_confusion_of_perturbations() -> None:
    """d/dx (x d/dy (x + y)) at 1 is 1: the inner derivative must not see the outer argument as its own."""
    assert float(tg.grad(lambda x: x * tg.grad(lambda y: x + y)(1.0))(1.0)) == 1.0


def test_parameters_from_outside_are_constants() -> None:
    layer = nn.Linear(3, 1)
    found = tg.grad(lambda x: xp.sum(layer(x)))(X.astype(np.float32))
    assert type(found) is np.ndarray
    assert layer.weight.grad is None
    weight = Tensor(np.asarray(2.0), requires_grad=True)
    inner = []
    tg.grad(lambda x: (inner.append(tg.grad(lambda y: weight * y)(1.0)), x)[1])(3.0)
    assert type(inner[0]) is np.ndarray, "the enclosing argument is not in it"


def test_within_no_grad_nothing_of_the_outer_one_is_recorded() -> None:
    def f(x: Any) -> Any:
        with no_grad():
            factor = tg.grad(lambda y: x * y**2)(1.0)
        return x * factor

    assert float(tg.grad(f)(3.0)) == 6.0


def test_what_leaked_from_an_ended_transform_is_a_constant() -> None:
    leaked: list[Any] = []
    tg.grad(lambda x: (leaked.append(x), x * 1.0)[1])(3.0)
    assert type(tg.grad(lambda y: leaked[0] * y)(1.0)) is np.ndarray
    with pytest.raises(ZeroDivisionError):
        tg.grad(lambda x: (leaked.append(x), 1 / 0)[1])(3.0)
    assert type(tg.grad(lambda y: leaked[1] * y)(1.0)) is np.ndarray


def test_threads_do_not_see_each_other_s_transforms() -> None:
    found: list[Any] = []

    def f(x: Any) -> Any:
        thread = threading.Thread(target=lambda: found.append(tg.grad(lambda y: x * y)(1.0)))
        thread.start()
        thread.join()
        return x * 1.0

    tg.grad(f)(3.0)
    assert type(found[0]) is np.ndarray
