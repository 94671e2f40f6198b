"""Attacks: the fast gradient sign method, and descent towards a target."""

from __future__ import annotations

from functools import partial
from typing import Any

from twingrad import functional as F
from twingrad.adversarial.gradients import Loss, Model, exact_gradient, moving_gradient
from twingrad.functional.checks import integer, non_negative
from twingrad.limits import Limits, check_limits, cut
from twingrad.namespace import Array, namespace_of


def fast_gradient_sign(
    model: Model,
    x: Array,
    y: Array,
    *,
    eps: float,
    loss: Loss = F.softmax_cross_entropy,
    limits: Limits = None,
    gradient: Any = exact_gradient,
) -> Array:
    """x + eps sign(dJ/dx), J the loss of each example, cut to `limits`: one step that raises it.

    Of all changes by at most eps in each input it raises a linear loss most, by eps times the sum of the gradient's
    absolute values, which grows with the number of inputs. Where the gradient is 0 an input stays.

    model: x (N, ...) -> outputs, in evaluation mode where it is an `nn.Module`. y: what `loss` takes beside them; the
        right labels lead away from them. limits: of an input, such as (0.0, 1.0) for pixels.
    gradient: `exact_gradient` by the tape; `numerical_gradient` asks the model as a black box.
    Source: Goodfellow, Shlens and Szegedy 2015, section 4.

    Raises:
        ValueError: eps negative or not finite, limits that are none.
        AutodiffError: a model without gradients, or whose gradient is 0 in every input, by its name.

    The course's example, a linear score that eps = 0.2 changes from -4 by 0.2 * 12, not yet over 0:

    >>> import numpy as np
    >>> w = np.asarray([1.0, 3, -1, 2, 2, 3])
    >>> x = np.asarray([[1.0, -1, 2, 0, 3, -2]])
    >>> moved = fast_gradient_sign(lambda x: x @ w, x, None, eps=0.2, loss=lambda score, y, reduction: score)
    >>> moved @ w
    array([-1.6])
    """
    non_negative("fast_gradient_sign: eps", eps)
    check_limits("fast_gradient_sign: limits", limits)
    xp = namespace_of(x)
    return cut(x + eps * xp.sign(moving_gradient(gradient, model, x, y, loss)), limits)


def half_squared_error(outputs: Array, target: Array, *, reduction: str = "none") -> Array:
    """sum over k of (o_k - t_k)^2 / 2 for each example: (N, K) or (N,), both of one shape, -> (N,)."""
    if outputs.shape != target.shape:
        raise ValueError(
            f"targeted: the target must be of the outputs' shape, {tuple(outputs.shape)}; got {tuple(target.shape)}; "
            "class numbers go with loss=F.softmax_cross_entropy"
        )
    xp = namespace_of(outputs)
    return 0.5 * xp.sum(xp.reshape((outputs - target) ** 2, (outputs.shape[0], -1)), axis=1)


def targeted(
    model: Model,
    x: Array,
    target: Array,
    *,
    weight: float = 1.0,
    lr: float = 0.1,
    steps: int = 100,
    loss: Loss = half_squared_error,
    limits: Limits = None,
    gradient: Any = exact_gradient,
) -> Array:
    """x* near x whose outputs are near the target: descent on loss(model(x*), target) + weight |x* - x|^2 from x.

    target: the outputs wished for, or with `loss=F.softmax_cross_entropy` the classes. weight: the notes' lambda, what
    staying near costs; 0 allows any image. lr, steps: of plain gradient descent. The rest as in `fast_gradient_sign`.
    For a linear score w.x and the default loss the answer is x + c w, c = (t - w.x) / (|w|^2 + 2 weight).

    Raises ValueError for a weight, lr or steps that are negative or not finite, and for a target of another shape than
    the outputs; AutodiffError as `fast_gradient_sign`.

    >>> import numpy as np
    >>> w = np.asarray([1.0, 3, -1, 2, 2, 3])
    >>> x = np.asarray([[1.0, -1, 2, 0, 3, -2]])
    >>> targeted(lambda x: x @ w, x, np.asarray([4.0]), lr=0.03, steps=200) @ w
    array([3.46666667])
    """
    non_negative("targeted: weight", weight)
    non_negative("targeted: lr", lr)
    check_limits("targeted: limits", limits)
    if integer("targeted: steps", steps) < 0:
        raise ValueError(f"targeted: steps must be at least 0; got {steps}")
    found, ask = x, partial(moving_gradient, gradient)  # later on 0 is where the descent ends
    for _ in range(steps):
        found = cut(found - lr * (ask(model, found, target, loss) + 2 * weight * (found - x)), limits)
        ask = gradient
    return found
