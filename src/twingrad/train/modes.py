"""Training or evaluation mode for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def mode(model: Any, *, training: bool) -> Iterator[None]:
    """The whole model in one mode within the block, then each of its layers in the mode in which it came."""
    modes = [(module, module.training) for _, module in model.modules()]
    model.train(training)
    try:
        yield
    finally:
        for module, was_training in modes:
            module.training = was_training
