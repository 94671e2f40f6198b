"""Elastic distortion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twingrad.augment.base import Augmentation
from twingrad.augment.checks import at_least, finite, positive
from twingrad.augment.draws import Draws, asarray_like
from twingrad.augment.sampling import bilinear, gaussian, grid, smooth
from twingrad.namespace import Array


@dataclass(frozen=True)
class Elastic(Augmentation):
    """Every pixel is taken from a place nearby, the displacement a smooth random field; bilinear, `fill` outside.

    A field for rows and one for columns: uniform in (-1, 1) for each pixel, smoothed by a Gaussian of deviation `sigma`
    (in pixels, borders mirrored), times `alpha` (in pixels, before smoothing, which takes most of it away).
    Source: Simard, Steinkraus and Platt 2003, "Best practices for convolutional neural networks", section 2; for digits
    of 29 x 29 pixels they take sigma 4 and alpha 34.

    >>> Elastic(alpha=0.0, sigma=1.0)(np.eye(2).reshape(1, 2, 2))
    array([[[1., 0.],
            [0., 1.]]])
    """

    alpha: float
    sigma: float
    fill: float = 0.0

    def __post_init__(self) -> None:
        at_least("Elastic: alpha", self.alpha)
        positive("Elastic: sigma", self.sigma)
        finite("Elastic: fill", self.fill)

    def apply(self, x: Array, draws: Draws) -> Array:
        rows, columns = grid(x)
        down, right = (self.field(x, draws) for _ in range(2))
        return bilinear(x, rows + down, columns + right, self.fill)

    def field(self, x: Array, draws: Draws) -> Array:
        """Displacements in pixels: (N, H, W)."""
        weights = asarray_like(x, gaussian(np.full(x.shape[0], self.sigma)), x.dtype)
        noise = 2 * draws.uniform(x.shape[:3]) - 1
        return smooth(smooth(noise, weights, 1), weights, 2) * self.alpha
