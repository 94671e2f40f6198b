"""Functions with rules of the user's own."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from twingrad.autodiff.tensor import Tensor
from twingrad.errors import AutodiffError


def custom_rule(*rules: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a function of arrays with its own derivatives: for one that is stabler, cheaper, or not the true one.

    rules: one for each leading array argument, `rule(g, out, *args, **kwargs)`: takes the cotangent of the result, the
    result and the function's own arguments, and returns the cotangent of that argument, of its shape. Written with
    `twingrad.xp`, a rule is differentiable itself, and second derivatives work.
    The function is given plain arrays, whatever it is called with, so it may use any library. It returns one array, and
    takes arrays by position. An argument without a rule is a constant: a gradient that reaches it raises AutodiffError,
    and so does a rule whose result is no array of its argument's shape.

    >>> import numpy as np
    >>> from twingrad import grad, xp
    >>> @custom_rule(lambda g, out, x: g / (1.0 + xp.exp(-x)))
    ... def softplus(x):
    ...     return np.logaddexp(0.0, x)
    >>> grad(softplus)(0.0), grad(grad(softplus))(0.0)
    (array(0.5), array(0.25))
    """

    if not all(map(callable, rules)):
        raise TypeError("custom_rule takes rules, functions, one for each array argument: @custom_rule(rule, ...)")

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        from twingrad.xp.primitive import recording

        if not callable(function):
            raise TypeError("custom_rule takes the rules and then decorates the function: @custom_rule(rule, ...)")
        name = getattr(function, "__name__", type(function).__name__)

        def compute(*args: Any, **kwargs: Any) -> Any:
            if any(isinstance(value, Tensor) for value in kwargs.values()):
                raise TypeError(f"{name} takes arrays by position, got a Tensor by name")
            out = function(*args, **kwargs)
            if isinstance(out, Tensor):
                raise AutodiffError(
                    f"{name} computes with a Tensor from outside, which its rules leave out; pass it in"
                )
            if not hasattr(out, "shape"):
                raise AutodiffError(f"{name} has rules of its own and must return one array, got a {_kind(out)}")
            return out

        checked = tuple([_checked(name, position, rule) for position, rule in enumerate(rules)])
        recorded = recording(name, checked, signature=(function, 0), implementation=compute)
        return functools.update_wrapper(recorded, function)

    return decorate


def _checked(name: str, position: int, rule: Callable[..., Any]) -> Callable[..., Any]:
    """`rule` with a result of its argument's shape, off the tape where the cotangent is; else AutodiffError."""

    def checked(g: Any, out: Any, *args: Any, **kwargs: Any) -> Any:
        found = rule(g, out, *args, **kwargs)
        wanted = tuple(args[position].shape)
        if not hasattr(found, "shape") or tuple(found.shape) != wanted:
            given = f"shape {tuple(found.shape)}" if hasattr(found, "shape") else f"a {_kind(found)}"
            raise AutodiffError(
                f"rule {position} of {name} gave {given}; the cotangent of its argument {position} is an array of "
                f"shape {wanted}"
            )
        return found.data if isinstance(found, Tensor) and not isinstance(g, Tensor) else found

    return checked


def _kind(value: Any) -> str:
    return type(value).__name__
