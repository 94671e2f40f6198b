"""A tail (`twingrad.functional.Tail`) as the CUDA kernels take it: tail.cuh."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from twingrad import functional as F
from twingrad.kernels.cpu.tails import backward_numbers, kind, refusal
from twingrad.kernels.cuda.launching import constant
from twingrad.namespace import Array
from twingrad.random.counter import Tick
from twingrad.random.draws import keep_threshold
from twingrad.recording import current

__all__ = ["numbers", "refusal", "slopes", "step_cell", "uploaded", "zero"]


def numbers(tail: F.Tail | None, like: Array) -> tuple[Any, ...]:
    """TG_TAIL_PARAMETERS: kind, slope, cell, offset, seed, stream, threshold, scale."""
    cell = zero(int(like.device.id))
    if tail is None:
        return 0, 0.0, cell, 0, np.uint64(0), 0, -1, 1.0
    after = kind(tail), float(tail.negative_slope)
    if tail.mask is None:
        return *after, cell, 0, np.uint64(0), 0, -1, 1.0
    p, seed, stream, step = tail.mask
    return *after, *step_cell(step, like), np.uint64(seed), stream, keep_threshold(p), 1.0 / (1.0 - p)


def slopes(tail: F.Tail | None) -> tuple[int, float, float]:
    """What the gradient's kernels take: kind, slope, scale."""
    after, slope, scale = backward_numbers(tail)
    return int(after), float(slope), float(scale)


def step_cell(step: int, like: Array) -> tuple[Array, int]:
    """Where a kernel finds the step: in the counter's mirror plus an offset while recording, else all in the offset."""
    recording = current()
    if not isinstance(step, Tick) or recording is None:
        return zero(int(like.device.id)), int(step)
    cell = step.counter.cell
    return recording.mirror(cell, functools.partial(uploaded, like)), int(step) - int(cell[0])


def uploaded(like: Array, host: Any) -> Array:
    """`host` on the GPU of `like`."""
    import cupy

    with like.device:
        return cupy.asarray(host)


@functools.cache
def zero(gpu: int) -> Array:
    """The cell that a step is counted from: the kernel's step is this plus an offset."""
    return constant(gpu, np.zeros(1, np.int64))
