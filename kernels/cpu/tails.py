"""A tail (`twingrad.functional.Tail`) as the kernels take it: tail.h."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from twingrad import functional as F
from twingrad import recording
from twingrad.functional.tail import ACTIVATIONS
from twingrad.namespace import Array
from twingrad.random.counter import Tick
from twingrad.random.draws import keep_threshold

ZERO = np.zeros(1, np.int64)
"""The counter's cell of a step that is a plain integer."""

MASK_LAYOUT = "qQqqd"
"""offset, seed, stream, threshold, scale."""
LAYOUT = f"qd{MASK_LAYOUT}"
"""kind, slope, and the mask's."""
BACKWARD_LAYOUT = "qdd"
"""kind, slope, scale."""

NO_MASK = (0, 0, 0, -1, 1.0)


class Packed(NamedTuple):
    """The cell that holds the mask's step, and the numbers of LAYOUT."""

    cell: Array
    numbers: tuple[float, ...]


NONE = Packed(ZERO, (0, 0.0, *NO_MASK))


def refusal(tail: F.Tail | None) -> str | None:
    """None if the gradient can be told from the result: see include/tail.h."""
    if tail is None:
        return None
    if tail.mask is not None and tail.activation != "relu":
        return f"dropout after {tail.activation or 'no activation'} cannot be told from the result, as after relu"
    if tail.activation == "leaky_relu" and tail.negative_slope < 0:
        return f"a negative_slope of {tail.negative_slope} hides the sign of what it multiplies"
    return None


def kind(tail: F.Tail) -> int:
    return 0 if tail.activation is None else 1 + ACTIVATIONS.index(tail.activation)


def packed(tail: F.Tail | None) -> Packed:
    if tail is None:
        return NONE
    cell, mask = (ZERO, NO_MASK) if tail.mask is None else packed_mask(tail.mask)
    return Packed(cell, (kind(tail), tail.negative_slope, *mask))


def packed_mask(mask: F.Mask) -> tuple[Array, tuple[float, ...]]:
    """The cell that holds the step, and the numbers of MASK_LAYOUT."""
    cell, offset = step_cell(mask.step)
    return cell, (offset, mask.seed, mask.stream, keep_threshold(mask.p), 1.0 / (1.0 - mask.p))


def step_cell(step: int) -> tuple[Array, int]:
    """Where a kernel finds the step: in the counter's cell plus an offset while recording, else all in the offset."""
    if isinstance(step, Tick) and recording.current() is not None:
        cell = step.counter.cell
        return cell, int(step) - int(cell[0])
    return ZERO, int(step)


def backward_numbers(tail: F.Tail | None) -> tuple[float, ...]:
    """The numbers of BACKWARD_LAYOUT."""
    if tail is None:
        return 0, 0.0, 1.0
    return kind(tail), tail.negative_slope, 1.0 if tail.mask is None else 1.0 / (1.0 - tail.mask.p)
