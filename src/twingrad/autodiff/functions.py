"""Gradients of functions: `grad` and `value_and_grad`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from twingrad.autodiff import walk
from twingrad.autodiff.calls import Call
from twingrad.autodiff.tensor import Tensor
from twingrad.errors import AutodiffError
from twingrad.namespace import namespace_of


def value_and_grad(function: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., tuple[Any, Any]]:
    """A function that returns (function(...), its gradient with respect to argument `argnums`).

    function: takes arrays, computes with the array API, returns a 0-d result.
    argnums: the position of the argument, or a tuple of positions; then the gradient is a tuple too.
    Plain arrays and Python numbers give plain arrays back; Tensors give Tensors, so that gradients of gradients work.
    Where the function is called within another that is being differentiated, and uses what that one is differentiated
    by, the results are Tensors too, so that the outer gradient is right. Other Tensors that the function takes from
    outside, such as a model's parameters, are constants: pass them as arguments, or call `backward()`.
    An enclosing `no_grad` does not keep the function from being differentiated, only the gradient.

    >>> value_and_grad(lambda w: w**2 - 10 * w + 25)(3.0)
    (array(4.), array(-4.))
    """

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        call = Call(function, args, kwargs, argnums)
        value = call.value
        if not isinstance(value, Tensor) or value.shape != ():
            cure = "; sum it, or take the jacobian" if isinstance(value, Tensor) else ""
            raise AutodiffError(f"grad needs a function that returns a 0-d result, got {described(value)}{cure}")
        found = call.pull([value], [walk.seed_of(value, None)])
        return call.given_back(value), tuple(found) if isinstance(argnums, tuple) else found[0]

    return wrapped


def grad(function: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """The gradient of a scalar function of arrays, as a function; see `value_and_grad`.

    >>> slope = grad(lambda w: w**2 - 10 * w + 25)
    >>> slope(0.0)
    array(-10.)
    >>> grad(slope)(0.0)
    array(2.)

    Gradient descent on it, as the course of `twingrad.functional` does: 1 + 1000 steps at 0.01.

    >>> w = 0.0
    >>> for _ in range(1001):
    ...     w = w - 0.01 * slope(w)
    >>> print(w)
    4.999999991753459

    In float32 the steps become too small to change w; the gradient keeps that dtype too:

    >>> import numpy as np
    >>> w = np.float32(0)
    >>> for _ in range(1001):
    ...     w = w - np.float32(0.01) * slope(w)
    >>> print(w, w.dtype)
    4.9999886 float32

    The same with the coefficients fed in, as data that the gradient takes as constants:

    >>> slope = grad(lambda w, x: x[0] * w**2 + x[1] * w + x[2])
    >>> coefficients = np.asarray([1.0, -10.0, 25.0])
    >>> w = 0.0
    >>> for _ in range(1001):
    ...     w = w - 0.01 * slope(w, coefficients)
    >>> print(w)
    4.999999991753459
    """
    both = value_and_grad(function, argnums)

    @functools.wraps(function)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        return both(*args, **kwargs)[1]

    return gradient


def described(value: Any) -> str:
    """What a function returned where a tensor was needed, in words."""
    if isinstance(value, Tensor):
        return f"a tensor of shape {value.shape}"
    try:
        namespace_of(value)
    except TypeError:
        return f"a {type(value).__name__}"
    return "a plain array: the result does not depend on the argument, or left the tape"
