"""Registers the CUDA kernels: what runs when operations meet CuPy arrays.

Here dropout; the rest has files of its own, imported here.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from twingrad import functional as F
from twingrad.kernels.cuda import (
    activations,
    arithmetic,
    build,
    dense,
    gather,
    launching,
    losses,
    norms,
    storage,
    tails,
    updates,
)
from twingrad.kernels.cuda.arguments import (
    STORED,
    Into,
    Kernel,
    blocks_of,
    deliver,
    empty,
    loaded,
    plain,
)
from twingrad.kernels.cuda.nvrtc import NvrtcError
from twingrad.random.draws import keep_threshold

__all__ = ["activations", "arithmetic", "dense", "gather", "losses", "norms", "storage", "unavailable", "updates"]

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
