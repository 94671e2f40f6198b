"""Errors to plant in gradients, each in a copy: an operation that passes its value on, and a wrong gradient back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from twingrad.autodiff import Tensor, record
from twingrad.autodiff.tape import FRESH
from twingrad.fusable import Kernel


def times(factor: float, x: Any) -> Any:
    """x, whose gradient comes back multiplied."""
    if not x.requires_grad:
        return x
    return record("planted", x.data, (x,), lambda grad, into: (factor * grad,))


def forgotten(x: Any) -> Any:
    """x, through which no gradient comes back."""
    return Tensor(x.data)


def doubled(gradient: Any) -> Any:
    return 2.0 * gradient


def last_element(gradient: Any) -> Any:
    """As of a loop that ends too early."""
    wrong = gradient.copy()
    wrong.reshape(-1)[-1] *= 0.5
    return wrong


def in_backward(kernel: Kernel, place: int, error: Callable[[Any], Any]) -> Kernel:
    """The kernel with an error in its gradient for one argument."""

    def backward(saved: Any, grad: Any, into: tuple[Any, ...]) -> tuple[Any, ...]:
        found = list(kernel.backward(saved, grad, tuple([d and FRESH for d in into])))  # type: ignore[misc]
        if found[place] is not None:
            found[place] = error(found[place])
        return tuple(found)

    return kernel._replace(backward=backward)


def course_network(seed: int = 0) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """W1, b1, W2, b2 of a 3-4-3 network, and five examples with classes."""
    rng = np.random.default_rng(seed)
    values = [rng.normal(size=shape) for shape in ((4, 3), (4,), (3, 4), (3,))]
    return values, rng.normal(size=(5, 3)), rng.integers(0, 3, 5)
