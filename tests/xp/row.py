"""What a row of the tables of differentiable functions is, and how its inputs are drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Row(NamedTuple):
    """`call(xp, *inputs)` of the primitive `name`; all inputs are floating and differentiated by."""

    name: str
    label: str
    call: Callable[..., Any]
    inputs: tuple[np.ndarray, ...]
    numpy_only: bool = False

    def __repr__(self) -> str:
        return f"{self.name}-{self.label}"


rng = np.random.default_rng(20)


def seed(n: int) -> None:
    """Draw from here on as from the seed n."""
    global rng
    rng = np.random.default_rng(n)


EVERY_SHAPE = ((3, 4), (), (0, 3))
PAIRS = (((3, 4), (3, 4)), ((3, 1), (1, 4)), ((4,), (2, 3, 4)), ((), (3,)), ((), ()), ((0, 3), (1, 3)), ((1,), (0,)))


def real(*shape: int) -> np.ndarray:
    """Numbers of both signs, of absolute value 0.2 to 2.2."""
    return np.asarray(rng.uniform(0.2, 2.2, shape) * rng.choice([-1.0, 1.0], shape))


def positive(*shape: int) -> np.ndarray:
    return np.asarray(rng.uniform(0.3, 2.5, shape))


def unit(*shape: int) -> np.ndarray:
    return np.asarray(rng.uniform(-0.9, 0.9, shape))


def above_one(*shape: int) -> np.ndarray:
    return np.asarray(rng.uniform(1.2, 3.0, shape))


def by_name(name: str) -> Callable[..., Any]:
    """The function `name` of a namespace, such as "linalg.inv"."""

    def call(xp: Any, *args: Any, **kwargs: Any) -> Any:
        for part in name.split("."):
            xp = getattr(xp, part)
        return xp(*args, **kwargs)

    return call
