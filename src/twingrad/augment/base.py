"""What every augmentation is: a random change of a batch that is a pure function of (seed, step)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from twingrad.augment.checks import check_batch, probability, whole
from twingrad.augment.draws import Draws
from twingrad.namespace import Array, namespace_of
from twingrad.random import DEFAULT_SEED

IMAGES = (3, 4)
"""Dimensions of a batch of images: (N, H, W), or (N, H, W, C), channels last. One image, (H, W, C), is refused."""


class Augmentation:
    """A callable: x (N, ...) -> a new batch, each example changed by draws of its own; x stays as it is.

    What changes example i depends on (seed, step, i) and on the augmentation's place in a `Compose`, on no hidden
    state. What is drawn once for an example (an angle, a gain) is drawn on the host in float64, so that it is the same
    on every device; what is drawn for each pixel, where x lives. Results have x's library, device and dtype.

    A subclass is a dataclass that checks its numbers and defines `apply(x, draws)`.

    Raises:
        TypeError: x is no array of float32 or float64.
        ValueError: x of other dimensions than `ranks`, or one image (H, W, C), which is x[None] as a batch; a seed or
            step out of range.
    """

    ranks: tuple[int, ...] = IMAGES

    def __call__(self, x: Array, *, seed: int = DEFAULT_SEED, step: int = 0, path: str = "") -> Array:
        who = type(self).__name__
        check_batch(who, x, self.ranks)
        return self.apply(x, Draws(x, seed, step, path + who))

    def apply(self, x: Array, draws: Draws) -> Array:
        """The changed batch."""
        raise NotImplementedError(f"{type(self).__name__} is an Augmentation without `apply`")


class Compose(Augmentation):
    """One augmentation after another, each with draws of its own.

    shape: of one example, for data that come flat: x (N, D) is seen as (N, *shape), and given back as (N, D'). Without
    it, x is passed on as it is.

    >>> import numpy as np
    >>> from twingrad.augment import Flip, Shift
    >>> augment = Compose(Flip(), Shift(1), shape=(2, 2))
    >>> augment(np.arange(8.0).reshape(2, 4), seed=3).shape
    (2, 4)
    """

    def __init__(self, *parts: Augmentation, shape: Sequence[int] | None = None) -> None:
        for i, part in enumerate(parts):
            _check_part(f"Compose: part {i}", part)
        self.parts, self.shape = parts, None if shape is None else _checked_shape(shape)

    def __call__(self, x: Array, *, seed: int = DEFAULT_SEED, step: int = 0, path: str = "") -> Array:
        xp, flat = namespace_of(x), self.shape is not None
        if self.shape is not None:
            self._check(x)
            x = xp.reshape(x, (x.shape[0], *self.shape))
        for i, part in enumerate(self.parts):
            x = part(x, seed=seed, step=step, path=f"{path}{i}.")
        return xp.reshape(x, (x.shape[0], math.prod(x.shape[1:]))) if flat else x

    def _check(self, x: Any) -> None:
        if len(x.shape) != 2 or x.shape[1] != math.prod(self.shape or ()):
            raise ValueError(
                f"Compose: shape={self.shape} is for x (N, {math.prod(self.shape or ())}); got {tuple(x.shape)}"
            )

    def __repr__(self) -> str:
        shape = [] if self.shape is None else [f"shape={self.shape}"]
        return f"Compose({', '.join([*map(repr, self.parts), *shape])})"


@dataclass(frozen=True)
class Sometimes(Augmentation):
    """The augmentation for a share p of the examples; the others pass as they are. It must keep the shape.

    >>> import numpy as np
    >>> from twingrad.augment import Flip
    >>> Sometimes(Flip(p=1.0), p=0.5)(np.arange(6.0).reshape(3, 1, 2), seed=3)[:, 0]
    array([[0., 1.],
           [3., 2.],
           [4., 5.]])
    """

    augmentation: Augmentation
    p: float = 0.5

    def __post_init__(self) -> None:
        _check_part("Sometimes: augmentation", self.augmentation)
        probability("Sometimes: p", self.p)

    def __call__(self, x: Array, *, seed: int = DEFAULT_SEED, step: int = 0, path: str = "") -> Array:
        changed = self.augmentation(x, seed=seed, step=step, path=f"{path}Sometimes.")
        if changed.shape != x.shape:
            raise ValueError(f"Sometimes: {self.augmentation!r} makes {changed.shape} of {x.shape}; it must keep it")
        draws = Draws(x, seed, step, f"{path}Sometimes")
        return namespace_of(x).where(draws.chosen(self.p), changed, x)


def _check_part(name: str, part: Any) -> None:
    if not isinstance(part, Augmentation):
        raise TypeError(f"{name} must be an Augmentation, such as Flip(); got {part!r}")


def _checked_shape(shape: Any) -> tuple[int, ...]:
    if not isinstance(shape, Sequence) or isinstance(shape, str):
        raise TypeError(f"Compose: shape must be that of one example, such as (28, 28); got {shape!r}")
    for size in shape:
        whole("Compose: a size in shape", size, 1)
    return tuple(int(size) for size in shape)
