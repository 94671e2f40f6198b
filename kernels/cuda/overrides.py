"""Registers the CUDA kernels: what runs when operations meet CuPy arrays.

Here the updates of optimizers, clipping and dropout; the rest has files of its own, imported here.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from twingrad import functional as F
from twingrad.functional.clip import FACTOR, LANES, ROWS
from twingrad.kernels.cuda import activations, build, dense, launching, losses, norms
from twingrad.kernels.cuda.nvrtc import NvrtcError
from twingrad.namespace import backend_of
from twingrad.random.draws import keep_threshold

__all__ = ["activations", "dense", "losses", "norms", "unavailable"]

DTYPES = ("float32", "float64")
LEAF = LANES * ROWS
"""Elements of a leaf of the norm's sum: NORM_LEAF of norm.h."""


@functools.cache
def unavailable() -> str | None:
    """Why none of these kernels can run: no compiler, or a GPU too old for it. None if they can."""
    import cupy

    try:
        build.target(int(cupy.cuda.Device().compute_capability), launching.compiler())
    except (NvrtcError, ValueError) as error:
        return f"the CUDA kernels cannot be compiled: {error}"
    return None


def _refusal(*arrays: Any) -> str | None:
    """Why these flat arrays cannot be updated by one launch, or None."""
    first = arrays[0]
    if first.dtype.name not in DTYPES:
        return f"dtype {first.dtype.name} has no CUDA kernel"
    for array in arrays:
        if backend_of(array) != "cuda" or array.device.id != first.device.id:
            return "the arrays live on different devices"
        if not array.flags.c_contiguous:
            return "an array is not contiguous"
    return None


def _dropout_refusal(x: Any, *, p: float, seed: int, stream: int, step: int) -> str | None:
    return None if x.dtype.name in DTYPES else f"dtype {x.dtype.name} has no CUDA kernel"


def _update_refusal(theta: Any, grad: Any, *rest: Any, average: Any = None) -> str | None:
    return _refusal(theta, grad, *(state for state in (*rest[:-2], average) if state is not None))


@F.adam_segments.kernel("cuda", accepts=_update_refusal)
def adam_segments_cuda(
    theta: Any, grad: Any, m: Any, v: Any, segments: Any, control: Any, *, average: Any = None
) -> None:
    """One launch for all segments. The tables may be NumPy's (they are then uploaded) or CuPy's."""
    _update("adam", "adam", theta, grad, (m, v), average, segments, control)


@F.sgd_segments.kernel("cuda", accepts=_update_refusal)
def sgd_segments_cuda(theta: Any, grad: Any, m: Any, segments: Any, control: Any, *, average: Any = None) -> None:
    """One launch for all segments. The tables may be NumPy's (they are then uploaded) or CuPy's."""
    _update("sgd", "sgd" if m is None else "momentum", theta, grad, (m,), average, segments, control)


@F.rmsprop_segments.kernel("cuda", accepts=_update_refusal)
def rmsprop_segments_cuda(
    theta: Any, grad: Any, v: Any, buffer: Any, mean: Any, segments: Any, control: Any, *, average: Any = None
) -> None:
    """One launch for all segments. The tables may be NumPy's (they are then uploaded) or CuPy's."""
    variant = f"rmsprop{'_momentum' * (buffer is not None)}{'_centered' * (mean is not None)}"
    _update("rmsprop", variant, theta, grad, (v, buffer, mean), average, segments, control)


def _update(
    source: str, rule: str, theta: Any, grad: Any, states: tuple[Any, ...], average: Any, segments: Any, control: Any
) -> None:
    """Launch the kernel of a rule; theta stands in for the arrays that it does not have, which it does not read."""
    with theta.device:
        tables = _table(segments, np.int64), _table(control, np.float64)
    given = [state for state in states if state is not None]
    arrays = (theta, grad, *(*given, theta, theta, theta)[:3], theta if average is None else average)
    kernel = f"{rule}{'_averaged' * (average is not None)}_segments_{theta.dtype.name}"
    sizes = np.int64(segments.shape[0]), np.int64(theta.size)
    launching.launch(source, kernel, theta.size, theta, *arrays, *tables, *sizes)


def _clip_refusal(
    grad: Any, segments: Any, control: Any, norm: Any, *, max_norm: float, unscale: float = 1.0
) -> str | None:
    if backend_of(control) != "cuda" or backend_of(norm) != "cuda":
        return "control and norm, which are written, do not live on the GPU"
    return _refusal(grad) or _refusal(control, norm)


@F.clip_segments.kernel("cuda", accepts=_clip_refusal)
def clip_segments_cuda(
    grad: Any, segments: Any, control: Any, norm: Any, *, max_norm: float, unscale: float = 1.0
) -> None:
    """Three launches, and nothing read back: the factor waits in `control` for the rule."""
    import cupy

    rows, columns = control.shape
    with grad.device:
        table = _table(segments, np.int64)
        count = -(-grad.size // LEAF) + rows  # at least the leaves of all segments
        lanes, leaves = cupy.empty(count * LANES, np.float64), cupy.empty(count, np.float64)
    kernel, size = f"norm_lanes_{grad.dtype.name}", np.int64(grad.size)
    launching.launch("clip", kernel, lanes.size, grad, lanes, grad, table, np.int64(rows), np.int64(count), size)
    launching.launch("clip", "norm_leaves", count, grad, leaves, lanes, np.int64(count))
    numbers = np.int64(rows), np.int64(columns), np.int64(columns + FACTOR), np.float64(max_norm), np.float64(unscale)
    launching.launch("clip", "clip_factors", 1, grad, control, norm, leaves, table, *numbers, size)


def dropout_backward(saved: tuple[Any, ...], grad: Any, into: tuple[Any, ...]) -> tuple[Any, ...]:
    """The same map of the gradient, with its mask made again."""
    (destination,) = into
    if destination is None:
        return (None,)
    target = destination.array
    if target is None:
        return (_dropout(grad, None, saved, accumulates=False),)
    if target.flags.c_contiguous:
        return (_dropout(grad, target, saved, accumulates=destination.accumulate),)
    slope = _dropout(grad, None, saved, accumulates=False)
    target[...] = target + slope if destination.accumulate else slope
    return (target,)


@F.dropout.kernel("cuda", accepts=_dropout_refusal, backward=dropout_backward)
def dropout_cuda(x: Any, *, p: float, seed: int, stream: int, step: int) -> tuple[Any, tuple[Any, ...]]:
    """x scaled where kept, +0 where dropped, in C order whatever the strides of x; only integers are saved."""
    saved = (p, seed, stream, int(step))
    return _dropout(x, None, saved, accumulates=False), saved


def _dropout(x: Any, out: Any, saved: tuple[Any, ...], *, accumulates: bool) -> Any:
    import cupy

    p, seed, stream, step = saved
    with x.device:
        x = cupy.ascontiguousarray(x).reshape(x.shape)
        out = cupy.empty(x.shape, x.dtype) if out is None else out
        size, scale = np.int64(x.size), x.dtype.type(1.0 / (1.0 - p))
        key = np.uint64(seed), np.int64(stream), _zero(int(x.device.id)), np.int64(step)
        flag = np.int64(accumulates)
        kernel = f"dropout_{x.dtype.name}"
        launching.launch("dropout", kernel, x.size, x, out, x, size, *key, np.int64(keep_threshold(p)), scale, flag)
    return out


@functools.cache
def _zero(gpu: int) -> Any:
    """The cell that a step is counted from: the kernel's step is this plus an offset."""
    import cupy

    return cupy.zeros(1, np.int64)


def _table(table: Any, dtype: Any) -> Any:
    import cupy

    return cupy.ascontiguousarray(cupy.asarray(table, dtype=dtype))
