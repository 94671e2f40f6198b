"""Layer normalisation (Ba, Kiros and Hinton 2016)."""

from __future__ import annotations

from twingrad.functional.checks import non_negative
from twingrad.fusable import fusable
from twingrad.namespace import Array, namespace_of


def check(x: Array, weight: Array, bias: Array, *, eps: float = 1e-5) -> None:
    """Raise ValueError unless x is (..., C), weight and bias (C,), and eps in range."""
    non_negative("layer norm: eps", eps)
    if len(weight.shape) != 1 or bias.shape != weight.shape:
        raise ValueError(f"layer norm takes weight and bias of shape (C,), got {weight.shape} and {bias.shape}")
    if not x.shape or x.shape[-1] != weight.shape[0]:
        raise ValueError(
            f"layer norm of {weight.shape[0]} features takes x of shape (..., {weight.shape[0]}), got {x.shape}"
        )


@fusable(validate=check, floating=True)
def layer_norm(x: Array, weight: Array, bias: Array, *, eps: float = 1e-5) -> Array:
    """gamma (x - mu) / sqrt(sigma^2 + eps) + beta along the last axis, with gamma the weight and beta the bias.

    x: (..., C); weight, bias: (C,). Returns x's shape. mu and sigma^2 (biased, over C) are those of each example, so
    training and evaluation are the same, and a batch of one is no exception.
    Raises ValueError for shapes that do not fit. Source: section 3 of the paper, equation 4; eps as PyTorch has it.

    >>> import numpy as np
    >>> layer_norm(np.asarray([[1.0, 2.0, 3.0, 4.0]]), np.full(4, 2.0), np.full(4, 0.5)).round(6)
    array([[-2.183271, -0.394424,  1.394424,  3.183271]])
    """
    xp = namespace_of(x, weight, bias)
    centred = x - xp.mean(x, axis=-1, keepdims=True)
    var = xp.mean(centred * centred, axis=-1, keepdims=True)
    return centred / xp.sqrt(var + float(eps)) * weight + bias
