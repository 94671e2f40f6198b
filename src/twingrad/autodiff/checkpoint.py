"""Activation checkpointing: forget what a part of a program computed, and compute it again in the backward pass."""

from __future__ import annotations

import contextvars
import functools
from collections.abc import Callable
from typing import Any

from twingrad.autodiff import tape, walk
from twingrad.autodiff.tensor import Tensor, record
from twingrad.errors import AutodiffError
from twingrad.recording import Journal, refuse_while_recording


def checkpoint(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, computed once forward and once more backward, so that its intermediate arrays need not be kept.

    The gradients have the same bits: of its arguments, and of tensors that it takes from outside, such as a layer's
    parameters. Counters, so dropout's masks, are those of the first time, and the running averages of batch norm are
    updated once. Anything else that `function` does besides computing, it does twice. It returns one array.

    >>> import numpy as np
    >>> from twingrad import Tensor, xp
    >>> x = Tensor(np.asarray(0.5), requires_grad=True)
    >>> checkpoint(lambda x: xp.exp(xp.sin(x)))(x).backward()
    >>> x.grad.round(6)
    np.float64(1.417424)
    """

    name = getattr(function, "__qualname__", type(function).__name__)

    @functools.wraps(function, updated=())
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        refuse_while_recording("a checkpointed function", "its backward pass runs Python")
        if not tape.enabled.get():
            return function(*args, **kwargs)
        context, since = contextvars.copy_context(), next(tape.numbers)
        journal = Journal()
        with journal:
            value = function(*args, **kwargs)
        if isinstance(value, tuple | list | dict):
            raise AutodiffError(f"checkpoint needs a function that returns one array, got a {type(value).__name__}")
        if not isinstance(value, Tensor) or not value.requires_grad:
            return value
        sources = tuple(walk.sources(value, since))

        def again() -> Any:
            with journal.replayed(), tape.recording_on():
                return function(*args, **kwargs)

        def backward(grad: Any, into: tuple[Any, ...]) -> list[Any]:
            start, value = next(tape.numbers), context.copy().run(again)
            return walk.pull_back([value], [grad], sources, since=start, create_graph=isinstance(grad, Tensor))

        return record(f"checkpoint of {name}", value.data, sources, backward)

    return wrapped
