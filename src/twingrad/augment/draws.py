"""The random numbers of one augmentation for one batch, and how numbers of the host enter it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad.autodiff import Tensor
from twingrad.namespace import Array, namespace_of
from twingrad.random import stream_of, uniform, words

BITS = 24
"""Of a word that make a number for a pixel: as many as float32 tells apart, so that both dtypes agree to rounding."""


class Draws:
    """Draw after draw, each from a stream of its own: (seed, stream of "path.0", "path.1", ..., step)."""

    def __init__(self, x: Array, seed: int, step: int, path: str) -> None:
        self.x, self.seed, self.step, self.path, self.count = x, seed, step, path, 0

    def _key(self) -> dict[str, int]:
        self.count += 1
        return {"seed": self.seed, "stream": stream_of(f"{self.path}.{self.count - 1}"), "step": self.step}

    def each(self, low: float, high: float) -> NDArray[np.float64]:
        """A number in [low, high) for each example, on the host: (N,)."""
        return low + (high - low) * uniform((self.x.shape[0],), **self._key())

    def integers(self, low: int, high: int) -> NDArray[np.int64]:
        """A whole number from low to high, both included, for each example, on the host: (N,)."""
        return np.floor(self.each(low, high + 1)).astype(np.int64)

    def chosen(self, p: float) -> Array:
        """Whether it happens to each example, with probability p: booleans (N, 1, ...) beside x."""
        return beside(self.x, uniform((self.x.shape[0],), **self._key()) < p, dtype=namespace_of(self.x).bool)

    def uniform(self, shape: tuple[int, ...]) -> Array:
        """Numbers (k + 1/2) / 2**24 where x lives, rounded to x's dtype: in (0, 1) in float64, (0, 1] in float32."""
        xp, plain = namespace_of(self.x), self.x.data if isinstance(self.x, Tensor) else self.x
        drawn = words(math.prod(shape), **self._key(), xp=namespace_of(plain), device=plain.device)
        return xp.reshape((xp.astype(drawn >> (32 - BITS), self.x.dtype) + 0.5) * 2.0**-BITS, shape)

    def normal(self, shape: tuple[int, ...]) -> Array:
        """Standard normal numbers where x lives, of x's dtype, by Box and Muller (1958).

        Logarithm and cosine may differ in the last bit between devices.
        """
        xp = namespace_of(self.x)
        u1, u2 = self.uniform(shape), self.uniform(shape)
        return xp.sqrt(-2.0 * xp.log(u1)) * xp.cos(2.0 * math.pi * u2)


def beside(x: Array, values: NDArray[Any], dtype: Any = None) -> Array:
    """A number for each example, (N,) on the host, as an array (N, 1, ...) that broadcasts with x, rounded once."""
    return asarray_like(x, values.reshape(-1, *[1] * (len(x.shape) - 1)), dtype or x.dtype)


def asarray_like(x: Array, values: NDArray[Any], dtype: Any) -> Array:
    """Numbers of the host where x lives."""
    return namespace_of(x).asarray(values, dtype=dtype, device=x.device)
