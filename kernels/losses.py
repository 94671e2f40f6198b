"""The losses of single numbers as the kernels of either device are registered for them: which arguments each takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twingrad import functional as F
from twingrad.fusable import Fusable
from twingrad.namespace import Array

Refusal = Callable[[Array, Array, dict[str, Any], Any], str | None]
"""Why a kernel cannot take (x, target, weights by name, mask), or None."""

Kernels = Callable[..., tuple[Callable[..., Any], Callable[..., Any]]]
"""kernels(operation, places of arguments without a gradient by name) gives forward(x, given, reduction), given being
target, class_weight, example_weight and mask, and backward as `Fusable.kernel` takes it.
"""


def as_it_is(refuses: Callable[..., str | None]) -> Callable[..., str | None]:
    """What asks no more than whether the arguments fit."""
    return refuses


def register(backend: str, refusal: Refusal, kernels: Kernels, loaded: Any = as_it_is) -> None:
    """Register the kernels of a backend; loaded(accepts) asks whether they are there as well."""
    forward, backward = kernels(F.binary_cross_entropy, target=1, class_weight=2, example_weight=3)

    def accepts(
        logits: Array, target: Array, class_weight: Any = None, example_weight: Any = None, mask: Any = None, **_: str
    ) -> str | None:
        return refusal(logits, target, {"class_weight": class_weight, "example_weight": example_weight}, mask)

    @F.binary_cross_entropy.kernel(backend, accepts=loaded(accepts), backward=backward)
    def binary_cross_entropy(
        logits: Array,
        target: Array,
        class_weight: Any = None,
        example_weight: Any = None,
        mask: Any = None,
        *,
        reduction: str = "mean",
    ) -> Any:
        return forward(logits, (target, class_weight, example_weight, mask), reduction)

    for operation in (F.mean_squared_error, F.mean_absolute_error):
        register_error(operation, backend, refusal, kernels, loaded)


def register_error(operation: Fusable, backend: str, refusal: Refusal, kernels: Kernels, loaded: Any) -> None:
    """The kernels of an error of regression: of x, target, example_weight and mask."""
    forward, backward = kernels(operation, target=1, example_weight=2)

    def accepts(x: Array, target: Array, example_weight: Any = None, mask: Any = None, **_: str) -> str | None:
        return refusal(x, target, {"example_weight": example_weight}, mask)

    @operation.kernel(backend, accepts=loaded(accepts), backward=backward)
    def error(x: Array, target: Array, example_weight: Any = None, mask: Any = None, *, reduction: str = "mean") -> Any:
        return forward(x, (target, None, example_weight, mask), reduction)
