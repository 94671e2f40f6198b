"""The average of the weights that an optimizer keeps, and how it takes their place for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from twingrad.namespace import namespace_of
from twingrad.nn.flat import moved
from twingrad.recording import refuse_while_recording

if TYPE_CHECKING:
    from twingrad.optim.optimizer import Optimizer

AVERAGE = "average"
"""Its name among the states of an optimizer."""


def blend(ema: float, step: int) -> float:
    """The share of the weights in their average at a parameter's step number `step`, from 1: at the first, all."""
    return 1.0 if step == 1 else 1.0 - ema


@contextmanager
def in_place(optimizer: Optimizer) -> Iterator[None]:
    """What `Optimizer.averaged` does."""
    name = type(optimizer).__name__
    refuse_while_recording("Optimizer.averaged()", "a replay would leave it out")
    flat = optimizer._follow()
    if optimizer.ema is None:
        raise ValueError(f"this {name} keeps no average of the weights; make it with one: {name}(ema=0.999)")
    if optimizer.holds_average:
        raise ValueError(f"the weights are those that this {name} averaged already: averaged() does not nest")
    kept = [(p, namespace_of(p.data).asarray(p.data, copy=True)) for p in optimizer._held if optimizer.steps_of(p)]
    optimizer.holds_average = True
    try:
        for parameter, _ in kept:
            offset, length = flat.segments[parameter.segment].tolist()
            parameter.assign(optimizer.state[AVERAGE][offset : offset + length].reshape(parameter.shape))
        yield
    finally:
        for parameter, value in kept:
            parameter.assign(moved(value, parameter.data))
        optimizer.holds_average = False
