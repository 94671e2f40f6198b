"""Where the picture stands: flips, shifts, crops, zoom, rotation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twingrad.augment.base import Augmentation
from twingrad.augment.checks import at_least, finite, positive, probability, whole
from twingrad.augment.draws import Draws, asarray_like, beside
from twingrad.augment.sampling import bilinear, gather, grid
from twingrad.functional.checks import one_of, ordered
from twingrad.namespace import Array, namespace_of

AXES = {"vertical": 1, "horizontal": 2}


@dataclass(frozen=True)
class Flip(Augmentation):
    """Mirrors images with probability p: "horizontal" swaps left and right, "vertical" top and bottom.

    >>> Flip(p=1.0)(np.arange(3.0).reshape(1, 1, 3))
    array([[[2., 1., 0.]]])
    """

    direction: str = "horizontal"
    p: float = 0.5

    def __post_init__(self) -> None:
        one_of("Flip: direction", self.direction, tuple(AXES))
        probability("Flip: p", self.p)

    def apply(self, x: Array, draws: Draws) -> Array:
        xp = namespace_of(x)
        return xp.where(draws.chosen(self.p), xp.flip(x, axis=AXES[self.direction]), x)


@dataclass(frozen=True)
class Shift(Augmentation):
    """Moves images by whole pixels, up to `pixels` in each direction; `fill` comes in at the border.

    >>> Shift(1)(np.ones((1, 2, 2)), seed=1)
    array([[[1., 0.],
            [0., 0.]]])
    """

    pixels: int
    fill: float = 0.0

    def __post_init__(self) -> None:
        whole("Shift: pixels", self.pixels)
        finite("Shift: fill", self.fill)

    def apply(self, x: Array, draws: Draws) -> Array:
        down, right = (draws.integers(-self.pixels, self.pixels) for _ in range(2))
        return window(x, -down, -right, x.shape[1], x.shape[2], self.fill)


@dataclass(frozen=True)
class Crop(Augmentation):
    """A window of height x width at a random place of each image, after `pad` pixels of `fill` were put around it.

    x: (N, H, W[, C]) -> (N, height, width[, C]). Raises ValueError where the window is larger than the padded image.

    >>> Crop(2, 2)(np.arange(9.0).reshape(1, 3, 3), seed=1)
    array([[[1., 2.],
            [4., 5.]]])
    """

    height: int
    width: int
    pad: int = 0
    fill: float = 0.0

    def __post_init__(self) -> None:
        whole("Crop: height", self.height, 1)
        whole("Crop: width", self.width, 1)
        whole("Crop: pad", self.pad)
        finite("Crop: fill", self.fill)

    def apply(self, x: Array, draws: Draws) -> Array:
        room = [
            size + 2 * self.pad - asked for size, asked in zip(x.shape[1:3], (self.height, self.width), strict=True)
        ]
        if min(room) < 0:
            padded = tuple(size + 2 * self.pad for size in x.shape[1:3])
            raise ValueError(f"Crop: the window {self.height, self.width} must fit into the padded image {padded}")
        top, left = (draws.integers(0, each) - self.pad for each in room)
        return window(x, top, left, self.height, self.width, self.fill)


@dataclass(frozen=True)
class Zoom(Augmentation):
    """Enlarges (factor > 1) or shrinks images about their centre; bilinear, the size stays, `fill` comes in.

    The factor is uniform in [low, high); with `stretch` height and width have factors of their own.

    >>> Zoom(2.0, 2.0)(np.eye(4).reshape(1, 4, 4))[0, 0]
    array([0.625 , 0.5625, 0.1875, 0.    ])
    """

    low: float = 0.8
    high: float = 1.25
    stretch: bool = False
    fill: float = 0.0

    def __post_init__(self) -> None:
        positive("Zoom: low", self.low)
        ordered("Zoom", self.low, self.high)
        finite("Zoom: fill", self.fill)

    def apply(self, x: Array, draws: Draws) -> Array:
        height = draws.each(self.low, self.high)
        width = draws.each(self.low, self.high) if self.stretch else height
        zero = np.zeros_like(height)
        return affine(x, np.stack([1 / height, zero, zero, 1 / width], axis=1).reshape(-1, 2, 2), self.fill)


@dataclass(frozen=True)
class Rotate(Augmentation):
    """Turns images about their centre by an angle uniform in [-degrees, degrees); bilinear, `fill` comes in.

    Positive angles turn counter-clockwise as the picture is seen, its rows downwards. Cosine and sine are computed on
    the host, so that all devices give the same bits.

    >>> Rotate(0)(np.eye(2).reshape(1, 2, 2))
    array([[[1., 0.],
            [0., 1.]]])
    """

    degrees: float
    fill: float = 0.0

    def __post_init__(self) -> None:
        at_least("Rotate: degrees", self.degrees)
        finite("Rotate: fill", self.fill)

    def apply(self, x: Array, draws: Draws) -> Array:
        return affine(x, turns(draws.each(-self.degrees, self.degrees)), self.fill)


def turns(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix that takes (row, column) of the turned picture to where it comes from: (N, 2, 2)."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.stack([c, s, -s, c], axis=1).reshape(-1, 2, 2)


def affine(x: Array, matrices: NDArray[np.float64], fill: float = 0.0) -> Array:
    """The images that show at p what x has at centre + matrix (p - centre): x (N, H, W[, C]), matrices (N, 2, 2)."""
    rows, columns = grid(x)
    middle = [(size - 1) / 2 for size in x.shape[1:3]]
    m = [[asarray_like(x, matrices[:, i, j].reshape(-1, 1, 1), x.dtype) for j in range(2)] for i in range(2)]
    y, z = rows - middle[0], columns - middle[1]
    return bilinear(x, m[0][0] * y + m[0][1] * z + middle[0], m[1][0] * y + m[1][1] * z + middle[1], fill)


def window(
    x: Array, top: NDArray[np.int64], left: NDArray[np.int64], height: int, width: int, fill: float = 0.0
) -> Array:
    """The height x width pixels of each image from (top, left) on, its own row and column: x (N, H, W[, C])."""
    xp = namespace_of(x)
    corner = x[:, :, :, 0] if len(x.shape) == 4 else x
    row, column = (beside(corner, each, xp.int64) for each in (top, left))
    rows = row + xp.reshape(xp.arange(height, dtype=xp.int64, device=x.device), (1, -1, 1))
    columns = column + xp.reshape(xp.arange(width, dtype=xp.int64, device=x.device), (1, 1, -1))
    return gather(x, rows, columns, fill)
