"""Gradients of functions: `grad` and `value_and_grad`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from twingrad.autodiff import tape
from twingrad.autodiff.tensor import Tensor
from twingrad.errors import AutodiffError
from twingrad.namespace import namespace_of


def value_and_grad(function: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., tuple[Any, Any]]:
    """A function that returns (function(...), its gradient with respect to argument `argnums`).

    function: takes arrays, computes with the array API, returns a 0-d result.
    argnums: the position of the argument, or a tuple of positions; then the gradient is a tuple too.
    Plain arrays and Python numbers give plain arrays back; Tensors give Tensors, so that gradients of gradients work.
    An enclosing `no_grad` does not keep the function from being differentiated, only the gradient. Tensors that the
    function takes from outside, not as arguments, are constants to an enclosing gradient: pass them as arguments.

    >>> value_and_grad(lambda w: w**2 - 10 * w + 25)(3.0)
    (array(4.), array(-4.))
    """
    positions = argnums if isinstance(argnums, tuple) else (argnums,)

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        for position in positions:
            if not -len(args) <= position < len(args):
                raise ValueError(f"argnums {position} of a call with {len(args)} positional arguments")
        chosen = {position % len(args) for position in positions}
        on_tape = any(isinstance(a, Tensor) for a in args)
        with tape.recording_on() as outside:
            inputs = [_leaf(a) if i in chosen else a for i, a in enumerate(args)]
            value = function(*inputs, **kwargs)
            if not isinstance(value, Tensor) or value.shape != ():
                raise AutodiffError(f"grad needs a function that returns a 0-d result, got {_describe(value)}")
            targets = [inputs[position] for position in positions]
            found = tape.gradients(value, targets, create_graph=on_tape and outside)
        if on_tape and not outside:
            value, found = value.detach(), [Tensor(gradient) for gradient in found]
        result = tuple(found) if isinstance(argnums, tuple) else found[0]
        return (value if on_tape else value.data), result

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
    """
    both = value_and_grad(function, argnums)

    @functools.wraps(function)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        return both(*args, **kwargs)[1]

    return gradient


def _leaf(value: Any) -> Tensor:
    """A tensor to differentiate by: a new leaf, or for a recorded tensor an alias that stays on the outer tape."""
    if not isinstance(value, Tensor):
        array = np.asarray(value, dtype=np.float64) if isinstance(value, int | float) else value
        return Tensor(array, requires_grad=True)
    if value.requires_grad:
        return tape.record("alias", value.data, (value,), lambda gradient, into: (gradient,), view_of=value)
    leaf = Tensor(value.data, requires_grad=True)
    leaf.writes = value.writes
    return leaf


def _describe(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {value.shape}"
    try:
        namespace_of(value)
    except TypeError:
        return f"a {type(value).__name__}"
    return "a plain array: the result does not depend on the argument, or left the tape"
