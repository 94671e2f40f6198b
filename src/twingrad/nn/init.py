"""Initial weights, drawn on the host in float64 and rounded once, so that they are the same on every device.

Each function takes the shape (n_out, n_in) of a weight and the keywords of `twingrad.random.normal`, and returns a
float64 array; `constant` and `normal` make such a function. lecun is the course's "Xavier" (variance 1/n_in); glorot is
PyTorch's Xavier (2/(n_in + n_out), Glorot and Bengio 2010); he is 2/n_in (He et al. 2015), for ReLU. These three raise
ValueError for a shape that is not of two axes.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad import random

Drawn = NDArray[np.float64]


def zeros(shape: tuple[int, ...], **key: Any) -> Drawn:
    """Zeros: for biases; weights of zeros never break the symmetry between units."""
    return np.zeros(shape)


def ones(shape: tuple[int, ...], **key: Any) -> Drawn:
    """Ones: for the scale of batch norm."""
    return np.ones(shape)


def constant(value: float) -> Callable[..., Drawn]:
    """A function that fills with `value`; a constant weight never breaks the symmetry between units.

    >>> constant(0.5)((2, 2))
    array([[0.5, 0.5],
           [0.5, 0.5]])
    """
    return functools.partial(_filled, value=_finite("constant", value))


def normal(std: float) -> Callable[..., Drawn]:
    """A function that draws from a normal distribution of mean 0 and deviation `std`: the course's randn * 0.01.

    >>> normal(0.01)((1, 2), seed=0, stream=0).round(4)
    array([[0.0135, 0.0006]])
    """
    if not _finite("normal", std) >= 0:
        raise ValueError(f"normal needs a deviation of at least 0, got {std}")
    return functools.partial(_scaled, std=float(std))


def lecun_normal(shape: tuple[int, ...], **key: Any) -> Drawn:
    """Normal with variance 1/n_in, the course's Xavier."""
    return _normal(shape, 1.0 / _fans(shape)[1], key)


def lecun_uniform(shape: tuple[int, ...], **key: Any) -> Drawn:
    """Uniform with variance 1/n_in."""
    return _uniform(shape, 1.0 / _fans(shape)[1], key)


def glorot_normal(shape: tuple[int, ...], **key: Any) -> Drawn:
    """Normal with variance 2/(n_in + n_out)."""
    return _normal(shape, 2.0 / sum(_fans(shape)), key)


def glorot_uniform(shape: tuple[int, ...], **key: Any) -> Drawn:
    """Uniform with variance 2/(n_in + n_out): within sqrt(6/(n_in + n_out)) of 0."""
    return _uniform(shape, 2.0 / sum(_fans(shape)), key)


def he_normal(shape: tuple[int, ...], **key: Any) -> Drawn:
    """Normal with variance 2/n_in."""
    return _normal(shape, 2.0 / _fans(shape)[1], key)


def he_uniform(shape: tuple[int, ...], **key: Any) -> Drawn:
    """Uniform with variance 2/n_in: within sqrt(6/n_in) of 0."""
    return _uniform(shape, 2.0 / _fans(shape)[1], key)


def _fans(shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) != 2 or 0 in shape:
        raise ValueError(
            f"a variance by n_in and n_out takes a weight of shape (n_out, n_in), each from 1; got {shape}"
        )
    return shape


def _normal(shape: tuple[int, ...], variance: float, key: dict[str, Any]) -> Drawn:
    return random.normal(shape, **key) * math.sqrt(variance)


def _uniform(shape: tuple[int, ...], variance: float, key: dict[str, Any]) -> Drawn:
    return (2.0 * random.uniform(shape, **key) - 1.0) * math.sqrt(3.0 * variance)


def _filled(shape: tuple[int, ...], *, value: float, **key: Any) -> Drawn:
    return np.full(shape, value)


def _scaled(shape: tuple[int, ...], *, std: float, **key: Any) -> Drawn:
    return random.normal(shape, **key) * std


def _finite(name: str, value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{name} needs a finite number, got {value}")
    return float(value)
