"""Initial weights, drawn on the host in float64 and rounded once, so that they are the same on every device.

Each function takes the shape (n_out, n_in) of a weight and the keywords of `twingrad.random.normal`, and returns a
float64 array. lecun is the course's "Xavier" (variance 1/n_in); glorot is PyTorch's Xavier (2/(n_in + n_out), Glorot
and Bengio 2010); he is 2/n_in (He et al. 2015), for ReLU.
"""

from __future__ import annotations

import math
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


def lecun_normal(shape: tuple[int, ...], **key: Any) -> Drawn:
    """Normal with variance 1/n_in, the course's Xavier."""
    return _normal(shape, 1.0 / shape[1], key)


def lecun_uniform(shape: tuple[int, ...], **key: Any) -> Drawn:
    """Uniform with variance 1/n_in."""
    return _uniform(shape, 1.0 / shape[1], key)


def glorot_normal(shape: tuple[int, ...], **key: Any) -> Drawn:
    """Normal with variance 2/(n_in + n_out)."""
    return _normal(shape, 2.0 / (shape[0] + shape[1]), key)


def glorot_uniform(shape: tuple[int, ...], **key: Any) -> Drawn:
    """Uniform with variance 2/(n_in + n_out): within sqrt(6/(n_in + n_out)) of 0."""
    return _uniform(shape, 2.0 / (shape[0] + shape[1]), key)


def he_normal(shape: tuple[int, ...], **key: Any) -> Drawn:
    """Normal with variance 2/n_in."""
    return _normal(shape, 2.0 / shape[1], key)


def he_uniform(shape: tuple[int, ...], **key: Any) -> Drawn:
    """Uniform with variance 2/n_in: within sqrt(6/n_in) of 0."""
    return _uniform(shape, 2.0 / shape[1], key)


def _normal(shape: tuple[int, ...], variance: float, key: dict[str, Any]) -> Drawn:
    return random.normal(shape, **key) * math.sqrt(variance)


def _uniform(shape: tuple[int, ...], variance: float, key: dict[str, Any]) -> Drawn:
    return (2.0 * random.uniform(shape, **key) - 1.0) * math.sqrt(3.0 * variance)
