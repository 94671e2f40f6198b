"""Registers the CUDA kernels: what runs when operations meet CuPy arrays.

Here the updates of optimizers, clipping and dropout; the rest has files of its own, imported here.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from twingrad import functional as F
from twingrad.functional.clip import FACTOR, LANES, ROWS
from twingrad.kernels.cuda import (
    activations,
    arithmetic,
    build,
    dense,
    gather,
    graph,
    launching,
    losses,
    norms,
    storage,
    tails,
)
from twingrad.kernels.cuda.arguments import (
    NAMES,
    STORED,
    Into,
    Kernel,
    blocks_of,
    deliver,
    empty,
    loaded,
    plain,
    refusal,
    table_refusal,
)
from twingrad.kernels.cuda.nvrtc import NvrtcError
from twingrad.namespace import backend_of
from twingrad.random.draws import keep_threshold
from twingrad.recording import current

__all__ = ["activations", "arithmetic", "dense", "gather", "losses", "norms", "storage", "unavailable"]

LEAF = LANES * ROWS
"""Elements of a leaf of the norm's sum: NORM_LEAF of norm.h."""

DROPOUT = Kernel("dropout", "dropout")


@functools.cache
def unavailable() -> str | None:
    """Why none of these kernels can run: no compiler, or a GPU too old for it, said once. None if they can."""
    import cupy

    try:
        build.target(int(cupy.cuda.Device().compute_capability), launching.compiler())
    except (NvrtcError, ValueError) as error:
        reason = f"the CUDA kernels cannot be compiled: {error}"
        launching.say(reason)
        return reason
    return None


def _update_refusal(theta: Any, grad: Any, *rest: Any, average: Any = None, copy: Any = None) -> str | None:
    *states, _, _ = rest
    moments = {f"moment {i + 1}": state for i, state in enumerate(states)}
    reason = refusal(param=theta, grad=grad, **moments, average=average)
    return reason or (None if copy is None else table_refusal("copy", copy, copy.dtype, theta))


@F.adam_segments.kernel("cuda", accepts=loaded("adam", _update_refusal))
def adam_segments_cuda(
    theta: Any, grad: Any, m: Any, v: Any, segments: Any, control: Any, *, average: Any = None, copy: Any = None
) -> None:
    """One launch for all segments. The tables may be NumPy's (they are then uploaded) or CuPy's."""
    _update("adam", "adam", theta, grad, (m, v), average, copy, segments, control)


@F.sgd_segments.kernel("cuda", accepts=loaded("sgd", _update_refusal))
def sgd_segments_cuda(
    theta: Any, grad: Any, m: Any, segments: Any, control: Any, *, average: Any = None, copy: Any = None
) -> None:
    """One launch for all segments. The tables may be NumPy's (they are then uploaded) or CuPy's."""
    _update("sgd", "sgd" if m is None else "momentum", theta, grad, (m,), average, copy, segments, control)


@F.rmsprop_segments.kernel("cuda", accepts=loaded("rmsprop", _update_refusal))
def rmsprop_segments_cuda(
    theta: Any,
    grad: Any,
    v: Any,
    buffer: Any,
    mean: Any,
    segments: Any,
    control: Any,
    *,
    average: Any = None,
    copy: Any = None,
) -> None:
    """One launch for all segments. The tables may be NumPy's (they are then uploaded) or CuPy's."""
    variant = f"rmsprop{'_momentum' * (buffer is not None)}{'_centered' * (mean is not None)}"
    _update("rmsprop", variant, theta, grad, (v, buffer, mean), average, copy, segments, control)


def _update(
    source: str,
    rule: str,
    theta: Any,
    grad: Any,
    states: tuple[Any, ...],
    average: Any,
    copy: Any,
    segments: Any,
    control: Any,
) -> None:
    """Launch the kernel of a rule; theta stands in for the arrays that it does not have, which it does not read."""
    with theta.device:
        tables = _segments(segments, theta), _scalars(control, theta)
    given = [state for state in states if state is not None]
    arrays = (theta, grad, *(*given, theta, theta, theta)[:3], theta if average is None else average)
    kernel = f"{rule}{'_averaged' * (average is not None)}_segments_{NAMES[theta.dtype]}"
    sizes = np.int64(segments.shape[0]), np.int64(theta.size)
    launching.launch(source, kernel, theta.size, theta, *arrays, copy, *tables, *sizes)


def _clip_refusal(
    grad: Any, segments: Any, control: Any, norm: Any, *, max_norm: float, unscale: float = 1.0
) -> str | None:
    tables = {"control": control, "norm": norm}
    reasons = (table_refusal(name, table, np.dtype(np.float64), grad) for name, table in tables.items())
    return refusal(grad=grad) or next(filter(None, reasons), None)


@F.clip_segments.kernel("cuda", accepts=loaded("clip", _clip_refusal))
def clip_segments_cuda(
    grad: Any, segments: Any, control: Any, norm: Any, *, max_norm: float, unscale: float = 1.0
) -> None:
    """Three launches, and nothing read back: the factor waits in `control` for the rule."""
    import cupy

    rows, columns = control.shape
    with grad.device:
        table = _segments(segments, grad)
    count = -(-grad.size // LEAF) + rows  # at least the leaves of all segments
    with grad.device, graph.memory():
        lanes, leaves = cupy.empty(count * LANES, np.float64), cupy.empty(count, np.float64)
    kernel, size = f"norm_lanes_{NAMES[grad.dtype]}", np.int64(grad.size)
    launching.launch("clip", kernel, lanes.size, grad, lanes, grad, table, np.int64(rows), np.int64(count), size)
    launching.launch("clip", "norm_leaves", count, grad, leaves, lanes, np.int64(count))
    numbers = np.int64(rows), np.int64(columns), np.int64(columns + FACTOR), np.float64(max_norm), np.float64(unscale)
    launching.launch("clip", "clip_factors", 1, grad, control, norm, leaves, table, *numbers, size)


def _dropout_refusal(x: Any, **_: Any) -> str | None:
    known = "there are CUDA kernels for float32, float64 and bfloat16"
    return None if x.dtype in STORED else f"x has dtype {x.dtype}; {known}"


def dropout_backward(saved: tuple[Any, ...], grad: Any, into: Into) -> tuple[Any, ...]:
    """The same map of the gradient, with its mask made again."""
    grad = plain(grad, grad)
    return (deliver(into[0], grad, lambda out, adds: DROPOUT(grad, blocks_of(grad.size), out, grad, *saved, adds)),)


@F.dropout.kernel("cuda", accepts=loaded("dropout", _dropout_refusal), backward=dropout_backward)
def dropout_cuda(x: Any, *, p: float, seed: int, stream: int, step: int) -> tuple[Any, tuple[Any, ...]]:
    """x scaled where kept, +0 where dropped, in C order whatever its strides; of the mask only integers are saved."""
    x = plain(x, x)
    key = np.uint64(seed), stream, *tails.step_cell(step, x)
    saved = x.size, *key, keep_threshold(p), 1.0 / (1.0 - p)
    out = empty(x, *x.shape)
    DROPOUT(x, blocks_of(x.size), out, x, *saved, False)
    return out, saved


def _segments(table: Any, like: Any) -> Any:
    """The segments on the GPU of `like`. Steps repeat them, so that NumPy's are uploaded once."""
    if backend_of(table) == "cuda":
        return _table(table, np.int64)
    return _uploaded(int(like.device.id), np.ascontiguousarray(table, np.int64).tobytes())


@functools.lru_cache(maxsize=64)
def _uploaded(gpu: int, content: bytes) -> Any:
    import cupy

    with cupy.cuda.Device(gpu) as device:
        found = cupy.asarray(np.frombuffer(content, np.int64).reshape(-1, 2))
        device.synchronize()  # another stream may be the next to read it
    return found


def _scalars(table: Any, like: Any) -> Any:
    """The scalars of a rule on the GPU of `like`: NumPy's change from step to step."""
    recording = current()
    if recording is None or backend_of(table) == "cuda":
        return _table(table, np.float64)
    return recording.mirror(table, functools.partial(tails.uploaded, like))


def _table(table: Any, dtype: Any) -> Any:
    import cupy

    return cupy.ascontiguousarray(cupy.asarray(table, dtype=dtype))
