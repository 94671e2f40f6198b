"""Functions with rules of the user's own."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import twingrad as tg
from twingrad import AutodiffError, Tensor, xp


@tg.custom_rule(lambda g, out, x, scale=1.0: g * scale / (1.0 + xp.exp(-x)))
def softplus(x: Any, scale: float = 1.0) -> Any:
    """log(1 + e^x), times scale."""
    return scale * np.logaddexp(0.0, x)


@tg.custom_rule(lambda g, out, x, y: g * y, lambda g, out, x, y: g * x)
def product(x: Any, y: Any) -> Any:
    return x * y


@tg.custom_rule(lambda g, out, x: g)
def rounded(x: Any) -> Any:
    """Straight through: the derivative of no function."""
    return xp.round(x)


X = np.linspace(-2, 2, 5)


def test_plain_arrays_stay_plain() -> None:
    assert type(softplus(X)) is np.ndarray
    assert np.array_equal(softplus(X), np.logaddexp(0.0, X))


def test_the_rule_is_the_gradient_to_the_second() -> None:
    sigmoid = 1 / (1 + np.exp(-X))
    assert np.allclose(tg.grad(lambda x: xp.sum(softplus(x)))(X), sigmoid, rtol=1e-15)
    second = tg.grad(lambda x: xp.sum(tg.grad(lambda x: xp.sum(softplus(x)))(x)))(X)
    assert np.allclose(second, sigmoid * (1 - sigmoid), rtol=1e-14)
    assert np.array_equal(tg.grad(lambda x: xp.sum(softplus(x, scale=2.0)))(X), 2 * sigmoid)
    assert np.array_equal(tg.grad(lambda x: xp.sum(rounded(x)))(X), np.ones(5))


def test_two_arguments_one_twice() -> None:
    x = Tensor(X, requires_grad=True)
    product(x, x).sum().backward()
    assert np.array_equal(x.grad, 2 * X)


def test_every_library(library: Any) -> None:
    x = Tensor(library.asarray(X), requires_grad=True)
    rounded(product(x, x)).sum().backward()
    assert np.allclose(library.numpy(x.grad), 2 * X)


def test_it_is_named_and_described() -> None:
    assert (softplus.__name__, softplus.__doc__) == ("softplus", "log(1 + e^x), times scale.")
    assert list(inspect.signature(softplus).parameters) == ["x", "scale"]
    out = softplus(Tensor(X, requires_grad=True))
    assert out.node.name == "softplus"
    assert "softplus" not in tg.xp.primitive.primitives


def test_what_it_cannot_do_is_said() -> None:
    x = Tensor(X, requires_grad=True)

    @tg.custom_rule(lambda g, out, y: g)
    def of_what_it_was_not_given(y: Any) -> Any:
        return x * y

    @tg.custom_rule(lambda g, out, x, y: g)
    def of_one(x: Any, y: Any) -> Any:
        return x + y

    with pytest.raises(AutodiffError, match=r"a Tensor from outside.*pass it in"):
        of_what_it_was_not_given(x)
    with pytest.raises(TypeError, match="by position"):
        product(x, y=x)
    with pytest.raises(AutodiffError, match=r"of_one is not differentiable in its argument 1; detach\(\)"):
        of_one(X, x).sum().backward()


BAD_RULES = {
    "another shape": (
        lambda g, out, x: xp.ones(3),
        r"rule 0 of f gave shape \(3,\); the .* argument 0 .* shape \(5,\)",
    ),
    "broadcast": (lambda g, out, x: xp.sum(g), r"gave shape \(\)"),
    "nothing": (lambda g, out, x: None, r"rule 0 of f gave a NoneType"),
    "number": (lambda g, out, x: 1.0, r"gave a float"),
}


@pytest.mark.parametrize("label", BAD_RULES)
def test_a_rule_that_gives_no_cotangent_of_its_argument(label: str) -> None:
    rule, said = BAD_RULES[label]

    @tg.custom_rule(rule)
    def f(x: Any) -> Any:
        return x * 2

    with pytest.raises(AutodiffError, match=said):
        f(Tensor(X, requires_grad=True)).sum().backward()


def test_a_rule_that_makes_its_cotangent_anew() -> None:
    @tg.custom_rule(lambda g, out, x: xp.ones(x.shape))
    def f(x: Any) -> Any:
        return x * 2

    gradient = tg.grad(lambda x: xp.sum(f(x)))(X)
    assert type(gradient) is np.ndarray
    assert np.array_equal(gradient, np.ones(5))


def test_what_is_no_rule_and_no_function_of_one_array() -> None:
    with pytest.raises(TypeError, match=r"takes rules, .*@custom_rule\(rule, ...\)"):
        tg.custom_rule(3.0)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="takes the rules and then decorates the function"):
        tg.custom_rule(np.exp)(X)
    pair = tg.custom_rule(lambda g, out, x: g)(lambda x: (x, x))
    with pytest.raises(AutodiffError, match="<lambda> has rules of its own and must return one array, got a tuple"):
        pair(X)
