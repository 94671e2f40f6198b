"""A fused override of an operation, and the modules that register them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

from twingrad.autodiff import AutodiffError, Tensor
from twingrad.autodiff.tape import Node

PROVIDERS = {"cpu": "twingrad.kernels.cpu.overrides", "cuda": "twingrad.kernels.cuda.overrides"}
"""The module of each backend that registers its kernels, imported when the backend's first array arrives."""

providers: dict[str, Any] = {}
"""Those that are imported, by backend."""


class Kernel(NamedTuple):
    """A fused override of one operation on one backend.

    accepts(*args, **kwargs) -> None, or the reason why the kernel cannot take these arguments.
    forward(*args, **kwargs) -> the result, or (result, saved) where there is a backward.
    backward(saved, grad, into) -> one gradient for each positional argument, None where into[i] is None.
    """

    accepts: Callable[..., str | None]
    forward: Callable[..., Any]
    backward: Callable[..., tuple[Any, ...]] | None


def provider(backend: str) -> Any:
    """The module that registers the kernels of `backend`, imported."""
    found = providers.get(backend)
    if found is None:
        found = providers[backend] = importlib.import_module(PROVIDERS[backend])
    return found


def pulled(node: Node, grad: Any, into: tuple[Any, ...]) -> tuple[Any, ...]:
    """The gradients by a kernel's backward, which a node holds beside what the forward saved; AutodiffError where they
    are to be differentiated once more.
    """
    if isinstance(grad, Tensor):
        raise AutodiffError(
            f"the fused kernel of {node.name} has no second derivative; compute gradients of gradients "
            'on the reference path: with tg.fused("never"): ...'
        )
    backward, saved = node.keywords
    return backward(saved, grad, into)  # type: ignore[no-any-return]
