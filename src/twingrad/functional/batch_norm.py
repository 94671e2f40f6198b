"""Batch normalisation (Ioffe and Szegedy 2015)."""

from __future__ import annotations

from typing import Any

from twingrad.autodiff import Tensor
from twingrad.functional.checks import non_negative, number
from twingrad.functional.tail import Tail, check_tail, finished
from twingrad.fusable import fusable
from twingrad.namespace import Array, namespace_of, real_floating


def check(
    x: Array,
    weight: Array,
    bias: Array,
    running_mean: Array,
    running_var: Array,
    *,
    training: bool,
    momentum: float = 0.1,
    eps: float = 1e-5,
    tail: Tail | None = None,
) -> None:
    """Raise ValueError unless x is (N, C), the others (C,), N > 1 in training, and the rest in range."""
    check_tail("batch norm", tail)
    non_negative("batch norm: eps", eps)
    if not 0 <= number("batch norm: momentum", momentum) <= 1:
        raise ValueError(f"batch norm: momentum must be in [0, 1], got {momentum}")
    if len(weight.shape) != 1:
        raise ValueError(f"batch norm takes a weight of shape (C,), got {weight.shape}")
    if len(x.shape) != 2 or x.shape[1] != weight.shape[0]:
        raise ValueError(
            f"batch norm of {weight.shape[0]} features takes x of shape (N, {weight.shape[0]}), got {x.shape}"
        )
    for name, array in (("bias", bias), ("running_mean", running_mean), ("running_var", running_var)):
        if array.shape != weight.shape:
            raise ValueError(
                f"batch norm of {weight.shape[0]} features takes {name} of shape {weight.shape}, got {array.shape}"
            )
    if training and x.shape[0] < 2:
        raise ValueError(
            f"batch norm in training needs more than one example to take a variance over, got x of shape {x.shape}; "
            "use a larger batch, or model.eval()"
        )


def overwritten(*arrays: Array, training: bool, **settings: Any) -> tuple[int, ...]:
    """The places of the running arrays among the arguments, in training."""
    return (3, 4) if training else ()


@fusable(validate=check, overwrites=overwritten, floating=True)
def batch_norm(
    x: Array,
    weight: Array,
    bias: Array,
    running_mean: Array,
    running_var: Array,
    *,
    training: bool,
    momentum: float = 0.1,
    eps: float = 1e-5,
    tail: Tail | None = None,
) -> Array:
    """gamma (x - mu) / sqrt(sigma^2 + eps) + beta, gamma the weight and beta the bias, and what its tail makes of it.

    x: (N, C); weight, bias, running_mean, running_var: (C,). Returns (N, C).
    training: mu and sigma^2 are the batch's (sigma^2 biased, over N), and the running arrays are updated in place:
    running = (1 - momentum) running + momentum new, with the unbiased variance (over N - 1), as PyTorch does.
    Otherwise mu and sigma^2 are the running arrays. momentum: the weight of the new value, 1 - the course's beta.
    tail: an activation and dropout in the same pass; see `Tail`.
    Differentiable in x, weight and bias. Source: Algorithm 1 and section 3.1 of the paper.

    >>> import numpy as np
    >>> z, mean, var = np.asarray([[1.0], [2.0], [3.0], [4.0]]), np.zeros(1), np.ones(1)
    >>> batch_norm(z, np.asarray([2.0]), np.asarray([0.5]), mean, var, training=True).ravel().round(6)
    array([-2.183271, -0.394424,  1.394424,  3.183271])
    >>> mean, var.round(4)
    (array([0.25]), array([1.0667]))
    """
    xp = namespace_of(x, weight, bias, running_mean, running_var)
    momentum, eps = float(momentum), float(eps)  # a NumPy float64 would widen x
    if training:
        _check_written(running_mean=running_mean, running_var=running_var)
        mean = xp.mean(x, axis=0)
        centred = x - mean
        var = xp.mean(centred * centred, axis=0)
        n = x.shape[0]
        _update(running_mean, _plain(mean), momentum)
        _update(running_var, _plain(var) * (n / (n - 1)), momentum)
    else:
        centred, var = x - running_mean, running_var
    return finished(centred / xp.sqrt(var + eps) * weight + bias, tail)


def _plain(array: Any) -> Array:
    return array.data if isinstance(array, Tensor) else array


def _check_written(**running: Array) -> None:
    for name, array in running.items():
        if not real_floating(array):
            raise TypeError(f"batch norm in training updates {name} in place, which takes floats; got {array.dtype}")
        if not getattr(getattr(array, "flags", None), "writeable", True):
            raise ValueError(f"batch norm in training updates {name} in place, but the array is read-only; pass a copy")


def _update(running: Array, new: Array, momentum: float) -> None:
    running[...] = (1.0 - momentum) * running + momentum * new
