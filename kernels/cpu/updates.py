"""Registers the kernels of the optimizers' updates; see `overrides.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

from twingrad import functional as F
from twingrad.functional.clip import FACTOR, LANES, ROWS
from twingrad.functional.terms import copied
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


def adam_refusal(
    theta: Array,
    grad: Array,
    m: Array,
    v: Array,
    segments: Array,
    control: Array,
    *,
    average: Any = None,
    copy: Any = None,
) -> str | None:
    return update_refusal(theta, grad, {"m": m, "v": v, "average": average}, segments, control, copy)


@F.adam_segments.kernel("cpu", accepts=adam_refusal)
def adam_segments(
    theta: Array,
    grad: Array,
    m: Array,
    v: Array,
    segments: Array,
    control: Array,
    *,
    average: Any = None,
    copy: Any = None,
) -> None:
    launch_update(ADAM, theta, grad, (m, v), average, copy, (segments, control))


def sgd_refusal(
    theta: Array, grad: Array, m: Any, segments: Array, control: Array, *, average: Any = None, copy: Any = None
) -> str | None:
    return update_refusal(theta, grad, {"m": m, "average": average}, segments, control, copy)


@F.sgd_segments.kernel("cpu", accepts=sgd_refusal)
def sgd_segments(
    theta: Array, grad: Array, m: Any, segments: Array, control: Array, *, average: Any = None, copy: Any = None
) -> None:
    launch_update(SGD, theta, grad, (m,), average, copy, (segments, control))


def rmsprop_refusal(
    theta: Array,
    grad: Array,
    v: Array,
    buffer: Any,
    mean: Any,
    segments: Array,
    control: Array,
    *,
    average: Any = None,
    copy: Any = None,
) -> str | None:
    states = {"v": v, "buffer": buffer, "mean": mean, "average": average}
    return update_refusal(theta, grad, states, segments, control, copy)


@F.rmsprop_segments.kernel("cpu", accepts=rmsprop_refusal)
def rmsprop_segments(
    theta: Array,
    grad: Array,
    v: Array,
    buffer: Any,
    mean: Any,
    segments: Array,
    control: Array,
    *,
    average: Any = None,
    copy: Any = None,
) -> None:
    launch_update(RMSPROP, theta, grad, (v, buffer, mean), average, copy, (segments, control))


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
