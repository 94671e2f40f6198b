"""The gradient of a loss with respect to a model's input: by the tape, or by differences of what the model answers."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any

from twingrad.autodiff import Tensor, grad, no_grad
from twingrad.errors import AutodiffError
from twingrad.functional.checks import number
from twingrad.namespace import Array, namespace_of
from twingrad.nn import Module
from twingrad.train.modes import mode

Model = Callable[..., Any]
"""x (N, ...) -> outputs (N, ...): an `nn.Module`, or any function."""
Loss = Callable[..., Any]
"""(outputs, y, reduction="none") -> the loss of each example (N,), as the losses of `twingrad.functional`."""


def exact_gradient(model: Model, x: Array, y: Array, loss: Loss) -> Array:
    """dJ_i/dx_i of each example, J_i = loss(model(x), y)_i: x (N, ...) -> an array like x.

    An `nn.Module` computes in evaluation mode, where an example does not depend on the others of its batch.

    Raises AutodiffError, by the model's name, where the model gives no gradient; else as `numerical_gradient`.
    """

    _check_pair(x, y)

    def cost(x: Array) -> Any:
        return namespace_of(x).sum(loss(model(x), y, reduction="none"))

    try:
        with evaluating(model):
            return grad(cost)(x)
    except (AutodiffError, TypeError) as error:
        raise no_gradient(model, error) from error


def numerical_gradient(model: Model, x: Array, y: Array, loss: Loss, *, step: float = 1e-3) -> Array:
    """(J_i(x + step e_k) - J_i(x - step e_k)) / (2 step) for input k of example i: x (N, ...) -> an array like x.

    A black box is enough: the model is only asked, for a batch of 2 D changed copies of each example, D its inputs. In
    float32 the differences of a confident model vanish: give it float64, or a larger step.

    Raises ValueError for a step that is not positive, and where x and y are of unlike length; TypeError where x does
    not hold floating point numbers.

    >>> import numpy as np
    >>> squares = lambda outputs, y, reduction: outputs
    >>> numerical_gradient(lambda x: (x**2).sum(axis=1), np.asarray([[3.0, -1.0]]), None, squares).round(6)
    array([[ 6., -2.]])
    """
    if not (math.isfinite(number("numerical_gradient: step", step)) and step > 0):
        raise ValueError(f"numerical_gradient: step must be a finite number above 0; got {step}")
    _check_pair(x, y)
    xp, d = namespace_of(x), math.prod(x.shape[1:])
    if not x.shape[0]:
        return xp.zeros_like(x)
    moves = step * xp.eye(d, dtype=x.dtype, device=x.device)
    moves = xp.reshape(xp.concat([moves, -moves], axis=0), (2 * d, *x.shape[1:]))
    rows = []
    for i in range(x.shape[0]):
        with evaluating(model), no_grad():
            found = loss(model(x[i, ...] + moves), _repeated(y, i, 2 * d), reduction="none")
        found = found.data if isinstance(found, Tensor) else found
        rows.append((found[:d] - found[d:]) / (2 * step))
    return xp.reshape(xp.stack(rows), x.shape)


def moving_gradient(gradient: Any, model: Model, x: Array, y: Array, loss: Loss) -> Array:
    """What `gradient` gives. Raises AutodiffError where it is 0 in every input and the loss is not: none would move."""
    found = gradient(model, x, y, loss)
    if bool(namespace_of(x).any(found != 0)) or not math.prod(x.shape):
        return found
    with evaluating(model), no_grad():
        costs = loss(model(x), y, reduction="none")
    if not bool(namespace_of(x).any((costs.data if isinstance(costs, Tensor) else costs) != 0)):
        return found
    raise no_gradient(model, "it is 0 in every input, as behind rounding, hardmax and saturated units")


def evaluating(model: Model) -> contextlib.AbstractContextManager[None]:
    """A module in evaluation mode; any other function as it is."""
    return mode(model, training=False) if isinstance(model, Module) else contextlib.nullcontext()


def no_gradient(model: Model, reason: object) -> AutodiffError:
    """The error that names the model, and the cure."""
    name = getattr(model, "__qualname__", type(model).__name__)
    return AutodiffError(
        f"the model {name} gives no gradient with respect to its input ({reason}); "
        "gradient=numerical_gradient attacks it as a black box, by a step wide enough to change what it answers"
    )


def _check_pair(x: Array, y: Any) -> None:
    """Raise unless x holds floating point numbers, and y is None or an array with something for each example."""
    if not namespace_of(x).isdtype(x.dtype, "real floating"):
        raise TypeError(f"an attack: x must hold floating point numbers; got {x.dtype}: divide bytes by 255 first")
    if y is None:
        return
    namespace_of(y)  # tells what is no array
    if y.shape[:1] != x.shape[:1]:
        raise ValueError(f"an attack: y must hold something for each of the {x.shape[0]} examples; got {y.shape}")


def _repeated(y: Any, i: int, times: int) -> Any:
    if y is None:
        return None
    return namespace_of(y).broadcast_to(y[i, ...], (times, *y.shape[1:]))
