"""How the picture looks: noise, blur, brightness, contrast, saturation."""

from __future__ import annotations

import math
from dataclasses import dataclass

from twingrad.augment.base import IMAGES, Augmentation
from twingrad.augment.checks import at_least
from twingrad.augment.draws import Draws, asarray_like, beside
from twingrad.augment.sampling import example_sum, gaussian, smooth
from twingrad.functional.checks import ordered
from twingrad.limits import Limits, check_limits, cut
from twingrad.namespace import Array, namespace_of

GREY = (0.299, 0.587, 0.114)
"""Of red, green and blue in a pixel's grey: ITU-R BT.601, as PIL's."""


@dataclass(frozen=True)
class Noise(Augmentation):
    """x + std * normal noise, cut to `limits`. x: any shape (N, T), (N, H, W) or (N, H, W, C).

    Logarithm and cosine in the draws may differ in the last bit between devices.
    """

    std: float
    limits: Limits = None
    ranks = (2, *IMAGES)

    def __post_init__(self) -> None:
        at_least("Noise: std", self.std)
        check_limits("Noise: limits", self.limits)

    def apply(self, x: Array, draws: Draws) -> Array:
        return cut(x + self.std * draws.normal(x.shape), self.limits)


@dataclass(frozen=True)
class Blur(Augmentation):
    """A Gaussian blur of deviation uniform in [low, high) pixels, borders mirrored; weights end at 4 deviations.

    >>> import numpy as np
    >>> Blur(1.0, 1.0)(np.ones((1, 3, 3)))[0, 0].round(12)
    array([1., 1., 1.])
    """

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        at_least("Blur: low", self.low)
        ordered("Blur", self.low, self.high)

    def apply(self, x: Array, draws: Draws) -> Array:
        weights = asarray_like(x, gaussian(draws.each(self.low, self.high)), x.dtype)
        return smooth(smooth(x, weights, 1), weights, 2)


@dataclass(frozen=True)
class _Enhance(Augmentation):
    """x moved away from, or towards, a duller picture: dull + factor (x - dull), factor uniform in 1 -+ amount, cut to
    `limits`. It is PIL's ImageEnhance, without its rounding to bytes.
    """

    amount: float
    limits: Limits = (0.0, 1.0)

    def __post_init__(self) -> None:
        who = type(self).__name__
        at_least(f"{who}: amount", self.amount)
        if self.amount > 1:
            raise ValueError(f"{who}: amount must be at most 1, or factors would be negative; got {self.amount}")
        check_limits(f"{who}: limits", self.limits)

    def apply(self, x: Array, draws: Draws) -> Array:
        factor = beside(x, draws.each(1 - self.amount, 1 + self.amount))
        dull = self.dull(x)
        return cut(dull + factor * (x - dull), self.limits)

    def dull(self, x: Array) -> Array:
        """The picture with factor 0."""
        raise NotImplementedError


class Brightness(_Enhance):
    """factor * x, factor uniform in [1 - amount, 1 + amount), cut to `limits`: x moved away from, or towards, black.

    >>> import numpy as np
    >>> Brightness(0.5)(np.full((3, 1, 1), 0.5), seed=1).round(3).ravel()
    array([0.595, 0.621, 0.267])
    """

    def dull(self, x: Array) -> Array:
        return 0.0 * x


class Contrast(_Enhance):
    """mean + factor (x - mean), factor uniform in [1 - amount, 1 + amount), cut to `limits`; mean of the grey picture.

    The mean is a sum of halves in a fixed order, so that all devices give the same bits.
    """

    def dull(self, x: Array) -> Array:
        grey = _grey(x) if len(x.shape) == 4 and x.shape[3] == 3 else x
        mean = example_sum(grey) / math.prod(grey.shape[1:])
        return namespace_of(x).reshape(mean, (-1, *[1] * (len(x.shape) - 1)))


class Saturation(_Enhance):
    """grey + factor (x - grey), factor uniform in [1 - amount, 1 + amount), cut to `limits`; x (N, H, W, 3) in RGB.

    grey = 0.299 red + 0.587 green + 0.114 blue of each pixel (ITU-R BT.601).
    """

    ranks = (4,)

    def dull(self, x: Array) -> Array:
        if x.shape[3] != 3:
            raise ValueError(f"Saturation: x must be (N, H, W, 3), red, green and blue; got {tuple(x.shape)}")
        return namespace_of(x).expand_dims(_grey(x), axis=-1)


def _grey(x: Array) -> Array:
    red, green, blue = (share * x[:, :, :, i] for i, share in enumerate(GREY))
    return red + green + blue
