"""Registers the CUDA kernels of the optimizers' updates and of clipping; see `overrides.py`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from twingrad import functional as F
from twingrad.functional.clip import FACTOR, LANES, ROWS
from twingrad.fusable import Fusable
from twingrad.kernels.cuda import launching, tails
from twingrad.kernels.cuda.arguments import NAMES, empty, loaded, refusal, table_refusal
from twingrad.namespace import Array, backend_of
from twingrad.recording import current

FLOAT64 = np.dtype(np.float64)
LEAF = LANES * ROWS
"""Elements of a leaf of the norm's sum: NORM_LEAF of norm.h."""


def update_refusal(theta: Array, grad: Array, states: dict[str, Any], copy: Any) -> str | None:
    reason = refusal(theta=theta, grad=grad, **states)
    return reason or (None if copy is None else table_refusal("copy", copy, copy.dtype, theta))


def launch_update(
    source: str, rule: str, theta: Array, grad: Array, states: tuple[Any, ...], average: Any, copy: Any, *tables: Any
) -> None:
    """theta stands in for the arrays that the rule does not have, which it does not read."""
    segments, control = tables
    with theta.device:
        there = _segments(segments, theta), _scalars(control, theta)
    given = [state for state in states if state is not None]
    arrays = theta, grad, *(*given, theta, theta, theta)[:3], theta if average is None else average, copy
    kernel = f"{rule}{'_averaged' * (average is not None)}_segments_{NAMES[theta.dtype]}"
    sizes = np.int64(segments.shape[0]), np.int64(theta.size)
    launching.launch(source, kernel, theta.size, theta, *arrays, *there, *sizes)


def register(operation: Fusable, rule: Callable[..., str], *names: str) -> None:
    """The kernel of an update rule whose states have these names, called (theta, grad, *states, segments, control).

    rule: the kernel's name, by the states that are there. Tables of NumPy's are uploaded.
    """
    source = operation.name.removesuffix("_segments")

    def accepts(theta: Array, grad: Array, *rest: Any, average: Any = None, copy: Any = None) -> str | None:
        *states, _, _ = rest
        return update_refusal(theta, grad, {**dict(zip(names, states, strict=True)), "average": average}, copy)

    @operation.kernel("cuda", accepts=loaded(source, accepts))
    def update(theta: Array, grad: Array, *rest: Any, average: Any = None, copy: Any = None) -> None:
        *states, segments, control = rest
        launch_update(source, rule(*states), theta, grad, tuple(states), average, copy, segments, control)


register(F.adam_segments, lambda m, v: "adam", "m", "v")
register(F.sgd_segments, lambda m: "sgd" if m is None else "momentum", "m")
register(
    F.rmsprop_segments,
    lambda v, buffer, mean: f"rmsprop{'_momentum' * (buffer is not None)}{'_centered' * (mean is not None)}",
    *("v", "buffer", "mean"),
)


def clip_refusal(
    grad: Array, segments: Array, control: Array, norm: Array, *, max_norm: float, unscale: float = 1.0
) -> str | None:
    tables = {"control": control, "norm": norm}
    reasons = (table_refusal(name, table, FLOAT64, grad) for name, table in tables.items())
    return refusal(grad=grad) or next(filter(None, reasons), None)


@F.clip_segments.kernel("cuda", accepts=loaded("clip", clip_refusal))
def clip_segments(
    grad: Array, segments: Array, control: Array, norm: Array, *, max_norm: float, unscale: float = 1.0
) -> None:
    """Three launches, and nothing read back: the factor waits in `control` for the rule."""
    rows, columns = control.shape
    with grad.device:
        table = _segments(segments, grad)
    count = -(-grad.size // LEAF) + rows  # at least the leaves of all segments
    lanes, leaves = empty(grad, count * LANES, dtype=FLOAT64), empty(grad, count, dtype=FLOAT64)
    kernel, size = f"norm_lanes_{NAMES[grad.dtype]}", np.int64(grad.size)
    launching.launch("clip", kernel, lanes.size, grad, lanes, grad, table, np.int64(rows), np.int64(count), size)
    launching.launch("clip", "norm_leaves", count, grad, leaves, lanes, np.int64(count))
    numbers = np.int64(rows), np.int64(columns), np.int64(columns + FACTOR), np.float64(max_norm), np.float64(unscale)
    arrays = control, norm, leaves, np.int64(count), table
    launching.launch("clip", "clip_factors", 1, grad, *arrays, *numbers, size)


def _segments(table: Array, like: Array) -> Array:
    """The segments on the GPU of `like`. Steps repeat them, so that NumPy's are uploaded once."""
    if backend_of(table) == "cuda":
        return _table(table, np.int64)
    return uploaded(int(like.device.id), np.ascontiguousarray(table, np.int64).tobytes())


@functools.lru_cache(maxsize=64)
def uploaded(gpu: int, content: bytes) -> Array:
    """A table of segments, by its bytes."""
    return launching.constant(gpu, np.frombuffer(content, np.int64).reshape(-1, 2))


def _scalars(table: Array, like: Array) -> Array:
    """The scalars of a rule on the GPU of `like`: NumPy's change from step to step."""
    recording = current()
    if recording is None or backend_of(table) == "cuda":
        return _table(table, np.float64)
    return recording.mirror(table, functools.partial(tails.uploaded, like))


def _table(table: Array, dtype: Any) -> Array:
    import cupy

    return cupy.ascontiguousarray(cupy.asarray(table, dtype=dtype))
