"""Registers the kernels of the optimizers' updates; see `overrides.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

from twingrad import functional as F
from twingrad.functional.clip import FACTOR, LANES, ROWS
from twingrad.functional.terms import copied
from twingrad.fusable import Fusable
from twingrad.kernels.cpu import Kernel
from twingrad.kernels.cpu.arguments import read_only, refusal, table_refusal
from twingrad.namespace import Array
from twingrad.recording import current

INT64 = np.dtype(np.int64)
FLOAT64 = np.dtype(np.float64)
LEAF = LANES * ROWS
"""Elements of a leaf of the norm's sum: NORM_LEAF of norm.h."""

ADAM, SGD, RMSPROP = (Kernel(f"{rule}_segments", 8, "qq") for rule in ("adam", "sgd", "rmsprop"))
CLIP = Kernel("clip_segments", 6, "3qdd")


def update_refusal(
    theta: Array, grad: Array, states: dict[str, Any], segments: Array, control: Array, copy: Any
) -> str | None:
    if copy is not None and current() is not None:
        return "rounding weights to their bfloat16 copy has no bound form"
    states = {name: array for name, array in states.items() if array is not None}
    return (
        refusal(theta=theta, grad=grad, **states)
        or read_only(theta=theta, **states)
        or table_refusal("segments", segments, INT64)
        or table_refusal("control", control, FLOAT64)
    )


def launch_update(
    kernel: Kernel, theta: Array, grad: Array, states: tuple[Any, ...], average: Any, copy: Any, tables: tuple[Any, Any]
) -> None:
    padded = (*states, None, None, None)[:3]
    kernel((theta, grad, *padded, average, *tables), theta.size, len(tables[0]))
    for offset, length in tables[0].tolist() if copy is not None else ():
        copied(copy, theta, slice(offset, offset + length))


def register(operation: Fusable, kernel: Kernel, *names: str) -> None:
    """The kernel of an update rule whose states have these names, called (theta, grad, *states, segments, control)."""

    def accepts(theta: Array, grad: Array, *rest: Any, average: Any = None, copy: Any = None) -> str | None:
        *states, segments, control = rest
        named = {**dict(zip(names, states, strict=True)), "average": average}
        return update_refusal(theta, grad, named, segments, control, copy)

    @operation.kernel("cpu", accepts=accepts)
    def update(theta: Array, grad: Array, *rest: Any, average: Any = None, copy: Any = None) -> None:
        *states, segments, control = rest
        launch_update(kernel, theta, grad, tuple(states), average, copy, (segments, control))


register(F.adam_segments, ADAM, "m", "v")
register(F.sgd_segments, SGD, "m")
register(F.rmsprop_segments, RMSPROP, "v", "buffer", "mean")


def clip_refusal(
    grad: Array, segments: Array, control: Array, norm: Array, *, max_norm: float, unscale: float = 1.0
) -> str | None:
    tables = {"control": control, "norm": norm}
    return (
        refusal(grad=grad)
        or table_refusal("segments", segments, INT64)
        or next(filter(None, (table_refusal(name, table, FLOAT64) for name, table in tables.items())), None)
        or read_only(**tables)
    )


@F.clip_segments.kernel("cpu", accepts=clip_refusal)
def clip_segments(
    grad: Array, segments: Array, control: Array, norm: Array, *, max_norm: float, unscale: float = 1.0
) -> None:
    rows, columns = control.shape
    leaves = np.empty(int(np.sum(-(-segments[:, 1] // LEAF))), np.float64)
    starts = np.empty(rows, np.int64)
    CLIP((grad, segments, control, norm, leaves, starts), rows, columns, columns + FACTOR, max_norm, unscale)
