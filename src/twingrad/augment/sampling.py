"""Where pixels are taken from: gathers, bilinear interpolation, mirrored borders, sums in a fixed order.

All of it is + - * / and gathers in a fixed order, so that every library gives the same bits.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad.namespace import Array, namespace_of

BORDER = 2
"""Pixels of fill that are put around an image: two, so that a place outside and its neighbour are both there."""


def gather(x: Array, rows: Array, columns: Array, fill: float = 0.0) -> Array:
    """x[n, rows[n, i, j], columns[n, i, j]] for images x (N, H, W[, C]), and `fill` outside of them.

    rows, columns: int64 that broadcast to (N, H', W'). Returns (N, H', W'[, C]).
    """
    return _taken(_padded(x, fill), _places(x, rows, columns), 0)


def bilinear(x: Array, rows: Array, columns: Array, fill: float = 0.0) -> Array:
    """Images x (N, H, W[, C]) at places between their pixels; pixels outside of them are `fill`.

    v = (1-a) ((1-b) x[i,j] + b x[i,j+1]) + a ((1-b) x[i+1,j] + b x[i+1,j+1])
    with i = floor(rows), a = rows - i, j = floor(columns), b = columns - j.
    rows, columns: floats that broadcast to (N, H', W'). SciPy's map_coordinates with order=1, mode="grid-constant".
    """
    xp = namespace_of(x, rows)
    top, left = xp.floor(rows), xp.floor(columns)
    a, b = (xp.expand_dims(v, axis=-1) if len(x.shape) == 4 else v for v in (rows - top, columns - left))
    flat, place, line = _padded(x, fill), _places(x, top, left), x.shape[2] + 2 * BORDER
    upper = (1 - b) * _taken(flat, place, 0) + b * _taken(flat, place, 1)
    lower = (1 - b) * _taken(flat, place, line) + b * _taken(flat, place, line + 1)
    return (1 - a) * upper + a * lower


def _padded(x: Array, fill: float) -> Array:
    """The pixels of all images with a border around each, one after another: (N (H + 4) (W + 4)[, C])."""
    xp, (n, h, w), channels = namespace_of(x), x.shape[:3], x.shape[3:]
    beside = xp.full((n, h, BORDER, *channels), fill, dtype=x.dtype, device=x.device)
    above = xp.full((n, BORDER, w + 2 * BORDER, *channels), fill, dtype=x.dtype, device=x.device)
    whole = xp.concat([above, xp.concat([beside, x, beside], axis=2), above], axis=1)
    return xp.reshape(whole, (-1, *channels))


def _places(x: Array, rows: Array, columns: Array) -> Array:
    """Where these pixels stand in `_padded`: int64 (N, H', W'); those outside of the image stand in the border."""
    xp, (n, h, w) = namespace_of(rows), x.shape[:3]
    row, column = (xp.astype(xp.clip(v, -BORDER, size), xp.int64) for v, size in ((rows, h), (columns, w)))
    first = xp.reshape(xp.arange(n, dtype=xp.int64, device=x.device) * (h + 2 * BORDER), (n, 1, 1))
    return (first + BORDER + row) * (w + 2 * BORDER) + BORDER + column


def _taken(flat: Array, place: Array, offset: int) -> Array:
    xp = namespace_of(flat)
    found = xp.take(flat, xp.reshape(place + offset, (-1,)), axis=0)
    return xp.reshape(found, (*place.shape, *flat.shape[1:]))


def grid(x: Array) -> tuple[Array, Array]:
    """The row (1, H, 1) and the column (1, 1, W) of each pixel, in x's dtype."""
    xp = namespace_of(x)
    rows, columns = (xp.arange(size, dtype=x.dtype, device=x.device) for size in x.shape[1:3])
    return xp.reshape(rows, (1, -1, 1)), xp.reshape(columns, (1, 1, -1))


def mirrored(size: int, offset: int) -> NDArray[np.int64]:
    """The places offset, offset + 1, ... of a line of `size`, mirrored at its ends: c b a | a b c | c b a.

    >>> mirrored(3, -2)
    array([1, 0, 0])
    """
    place = (np.arange(size, dtype=np.int64) + offset) % (2 * size)
    return np.minimum(place, 2 * size - 1 - place)


def smooth(x: Array, weights: Array, axis: int) -> Array:
    """sum over k of weights[:, k] * x moved by k - r along an axis, mirrored at the ends.

    x: (N, ...); weights: (N, 2r + 1), of each example.
    """
    xp = namespace_of(x, weights)
    total: Any = None
    radius = weights.shape[1] // 2
    for k in range(2 * radius + 1):
        place = xp.asarray(mirrored(x.shape[axis], k - radius), device=x.device)
        weight = xp.reshape(weights[:, k], (-1, *[1] * (len(x.shape) - 1)))
        term = weight * xp.take(x, place, axis=axis)
        total = term if total is None else total + term
    return total


def gaussian(sigmas: NDArray[np.float64], truncate: float = 4.0) -> NDArray[np.float64]:
    """The weights exp(-k^2 / (2 sigma^2)), which sum to 1, for each sigma: (N, 2r + 1), r of the largest.

    They end at the whole number nearest to truncate * sigma, as SciPy's do; sigma 0 leaves everything as it is.
    """
    radii = np.floor(truncate * sigmas + 0.5)
    k = np.arange(-radii.max(initial=0), radii.max(initial=0) + 1)
    width = np.where(sigmas > 0, sigmas, 1.0)[:, None]
    weights = np.where(np.abs(k) <= radii[:, None], np.exp(-0.5 * (k / width) ** 2), 0.0)
    normed: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return normed


def example_sum(x: Array) -> Array:
    """The sum over all of each example, (N, ...) -> (N,): halves are added until one number is left.

    A library's own sum adds in an order of its own, and gives other bits.
    """
    xp = namespace_of(x)
    x = xp.reshape(x, (x.shape[0], math.prod(x.shape[1:])))
    while x.shape[1] > 1:
        half = x.shape[1] // 2
        rest = x[:, 2 * half :]
        x = x[:, :half] + x[:, half : 2 * half]
        x = xp.concat([x, rest], axis=1) if rest.shape[1] else x
    return x[:, 0]
