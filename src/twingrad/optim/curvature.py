"""The curvature of a cost, by products of its Hessian with vectors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from twingrad.autodiff import hvp
from twingrad.functional.checks import integer, number
from twingrad.fusable import fused
from twingrad.namespace import Array, namespace_of
from twingrad.random import normal

Vector = tuple[Array, ...]
STREAM = 0xC0BBA7
SAFE = 1.1
"""What the size is multiplied with, since the iteration comes to it from below."""


class Curvature(NamedTuple):
    """The ends of the Hessian's spectrum, each with its direction, of length 1.

    residual: the greater |H v - lambda v| of the two: so far an eigenvalue is at most from the nearest true one.
    products: how many Hessian-vector products it took.
    """

    smallest: float
    largest: float
    along_smallest: Vector
    along_largest: Vector
    residual: float
    products: int

    @property
    def largest_rate(self) -> float:
        """2 / largest: where the cost is this quadratic, descent at a higher rate diverges; infinity for none."""
        return 2.0 / self.largest if self.largest > 0 else math.inf

    @property
    def kind(self) -> str:
        """What a point where the gradient is 0 is: "saddle", "minimum", "maximum", "flat"; "valley" with a flat end."""
        if self.smallest < -self.residual and self.largest > self.residual:
            return "saddle"
        if max(-self.smallest, self.largest) <= self.residual:
            return "flat"
        if self.largest <= self.residual:
            return "maximum"
        return "minimum" if self.smallest > self.residual else "valley"


def curvature(
    function: Callable[..., Any], args: Any, *, tolerance: float = 1e-3, steps: int = 200, seed: int = 0
) -> Curvature:
    """The smallest and the largest eigenvalue of a cost's Hessian H, by power iteration: v = H v / |H v|.

    function: takes the arguments, returns a 0-d array; for a model see `nn.functional_call`. args: an array or a tuple
    of them. The first iteration gives the size s of the largest eigenvalue, of either sign; the others are with s + H
    and s - H, whose largest eigenvalues belong to the ends of H's spectrum: so eigenvalues of equal size and unlike
    signs, as a saddle's, are told apart. Each stops when the residual is below tolerance s, after `steps` products at
    most; `residual` tells how far it came. Fused kernels have no second derivative: the reference path is taken.
    Raises ValueError for a tolerance outside (0, 1), steps below 1, and where the Hessian is not finite.

    >>> import numpy as np
    >>> found = curvature(lambda p: p[0] ** 2 - p[1] ** 2, np.asarray([1.0, 1e-6]))
    >>> round(found.smallest, 6), round(found.largest, 6), found.kind
    (-2.0, 2.0, 'saddle')

    Source: Pearlmutter 1994, "Fast exact multiplication by the Hessian".
    """
    if not 0 < number("curvature: tolerance", tolerance) < 1:
        raise ValueError(f"curvature: tolerance must be in (0, 1), got {tolerance}")
    if integer("curvature: steps", steps) < 1:
        raise ValueError(f"curvature: steps must be at least 1, got {steps}")
    several = isinstance(args, tuple)
    point: Vector = args if several else (args,)
    count = 0

    def times(v: Vector) -> Vector:
        nonlocal count
        count += 1
        found = hvp(function, point, v) if several else (hvp(function, point[0], v[0]),)
        return tuple(found)

    with fused("never"):
        size = SAFE * _size(times, _start(point, seed), tolerance, steps)
        ends = []
        for sign in (-1.0, 1.0):
            v = _largest(times, _start(point, seed + 1), size, sign, tolerance, steps)
            product = times(v)
            value = _dot(v, product)
            ends.append((value, v, _norm(_sum(product, v, -value))))
    (low, along_low, a), (high, along_high, b) = ends
    return Curvature(low, high, along_low, along_high, max(a, b), count)


def _size(times: Callable[[Vector], Vector], v: Vector, tolerance: float, steps: int) -> float:
    """The largest absolute eigenvalue, from below: |H v| stands still even where v does not."""
    size = 0.0
    for _ in range(steps):
        before, product = size, times(v)
        size = _norm(product)
        if not math.isfinite(size):
            raise ValueError(f"curvature: the Hessian is not finite there; a product with a vector has length {size}")
        if size - before <= tolerance * size:
            break
        v = tuple(each / size for each in product)
    return size


def _largest(
    times: Callable[[Vector], Vector], v: Vector, shift: float, sign: float, tolerance: float, steps: int
) -> Vector:
    """Where the power iteration with shift + sign H comes to, from v."""
    for _ in range(steps):
        product = times(v)
        if _norm(_sum(product, v, -_dot(v, product))) <= tolerance * shift:
            break
        moved = _sum(tuple(sign * each for each in product), v, shift)
        length = _norm(moved)
        if length == 0.0:
            break
        v = tuple(each / length for each in moved)
    return v


def _start(point: Vector, seed: int) -> Vector:
    drawn = []
    for i, array in enumerate(point):
        xp = namespace_of(array)
        values = normal(tuple(array.shape), seed=seed, stream=STREAM, step=i)
        drawn.append(xp.asarray(values.tolist(), dtype=array.dtype, device=array.device))
    length = _norm(tuple(drawn))
    return tuple(each / length for each in drawn)


def _dot(a: Vector, b: Vector) -> float:
    return math.fsum(float(namespace_of(x).sum(x * y)) for x, y in zip(a, b, strict=True))


def _norm(a: Vector) -> float:
    return math.sqrt(_dot(a, a))


def _sum(a: Vector, b: Vector, factor: float) -> Vector:
    return tuple(x + factor * y for x, y in zip(a, b, strict=True))
