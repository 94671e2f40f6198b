"""RMSprop (Tieleman and Hinton 2012, lecture 6.5)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad.functional import terms
from twingrad.functional.adam import from_1
from twingrad.functional.checks import checked
from twingrad.functional.segments import check_copy, check_segments, segments_of_one
from twingrad.functional.terms import Terms, scales_of_root
from twingrad.fusable import fusable
from twingrad.namespace import Array, namespace_of

RULE = ("step_size", "alpha", "1 - alpha", "scale_in", "eps_in", "scale_out", "eps_out", "momentum")
COLUMNS = (*RULE, *terms.COLUMNS)
"""The scalars that a segment's update needs: one row of `control`."""


def rmsprop_control(
    *,
    step: int,
    lr: float,
    alpha: float,
    eps: float,
    eps_form: str = "outside",
    momentum: float = 0.0,
    bias_correction: bool = False,
    **around: float,
) -> tuple[float, ...]:
    """The row of scalars for step number `step` (from 1), in the order of COLUMNS; around: of `Terms`."""
    correction = 1.0 - alpha**step if bias_correction else 1.0
    return (lr, alpha, 1.0 - alpha, *scales_of_root(eps, correction, eps_form), momentum, *Terms(**around))


def check(
    theta: Array,
    grad: Array,
    v: Array,
    buffer: Array | None,
    mean: Array | None,
    segments: Array,
    control: Array,
    *,
    average: Array | None = None,
    copy: Array | None = None,
) -> None:
    """Raise unless the arrays agree and the tables fit them."""
    check_copy("rmsprop", theta, copy)
    arrays = {"param": theta, "grad": grad, "v": v, "buffer": buffer, "mean": mean, "average": average}
    check_segments("rmsprop", arrays, segments, control, len(COLUMNS))


@fusable(validate=check)
def rmsprop_segments(
    theta: Array,
    grad: Array,
    v: Array,
    buffer: Array | None,
    mean: Array | None,
    segments: Array,
    control: Array,
    *,
    average: Array | None = None,
    copy: Array | None = None,
) -> None:
    """One RMSprop step on segments of flat arrays, in place on theta, v, buffer, mean and average.

    theta, grad, v: (P,) of one floating dtype T. buffer: the same, for momentum, or None; mean: the same, for the
    centered form, or None; average: the same, of theta over the steps, or None. segments: (S, 2) int64, offset and
    length of each; those of length 0 are skipped. control: (S, 14) float64, the scalars of each, in the order of
    COLUMNS.

        v = alpha v + ((1 - alpha) g) g
        mean = alpha mean + (1 - alpha) g,  and v - mean^2 in place of v below, or 0 where rounding made it negative
                                            (PyTorch takes the root of that too: NaN)    where mean is given
        d = g / (sqrt(v scale_in + eps_in) scale_out + eps_out)
        buffer = momentum buffer + d,  and buffer in place of d below                  where buffer is given
        p = p - step_size d

    with the terms of `Terms` around it: clipping, L2, decoupled decay, L1, the average.
    copy: (P,) bfloat16, to which the segments of theta, float32, are then rounded; or None.
    Every operation is rounded to T, none contracted, and scalars are rounded to T first: kernels give the same bits.
    """
    for (offset, length), row in zip(segments.tolist(), control.tolist(), strict=True):
        if length:
            part = slice(offset, offset + length)
            states: list[Any] = [None if state is None else state[part] for state in (buffer, mean)]
            _update(theta[part], grad[part], v[part], *states, *row)
            terms.follow(average, theta, part, row[-1])
            terms.copied(copy, theta, part)


def rmsprop_update(
    param: Array,
    grad: Array,
    v: Array,
    *,
    step: int,
    lr: float = 1e-2,
    alpha: float = 0.99,
    eps: float = 1e-8,
    eps_form: str = "outside",
    bias_correction: bool = False,
    weight_decay: float = 0.0,
) -> None:
    """One RMSprop step, in place on param and v; v starts as zeros (the course's S, and its beta is alpha).

    param, grad, v: any one shape and floating dtype. step: counts from 1, for the bias correction.
    eps_form: "outside" the root (PyTorch's) or "inside", sqrt(v + eps); eps = 0 for none. weight_decay: L2.
    Raises ValueError for shapes or dtypes that differ, a read-only array, a step below 1, an lr, eps or
    weight_decay that is negative or not finite, or an alpha outside [0, 1).

    >>> import numpy as np
    >>> w, v = np.ones(1), np.zeros(1)
    >>> rmsprop_update(w, np.asarray([0.5]), v, step=1, lr=0.01, alpha=0.9)
    >>> print(w[0].round(12))
    0.968377225398
    """
    given = checked("rmsprop: ", lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay)
    options: dict[str, Any] = {"eps_form": eps_form, "bias_correction": bias_correction}
    row = rmsprop_control(step=from_1("RMSprop", step), l2=given.pop("weight_decay"), **options, **given)
    flat, segments = segments_of_one("rmsprop", {"param": param, "grad": grad, "v": v}, {"grad"})
    control: NDArray[np.float64] = np.asarray([row])
    rmsprop_segments(*flat, None, None, segments, control)


def _update(p: Array, g: Array, v: Array, buffer: Array | None, mean: Array | None, *row: float) -> None:
    step_size, alpha, one_minus_alpha, scale_in, eps_in, scale_out, eps_out, momentum, *rest = row
    around = Terms(*rest)
    g = terms.before(p, g, around)
    v[...] = alpha * v + (one_minus_alpha * g) * g
    variance = v
    if mean is not None:
        mean[...] = alpha * mean + one_minus_alpha * g
        variance = v - mean * mean
        variance = namespace_of(p).where(variance < 0, 0, variance)
    divisor = namespace_of(p).sqrt(variance * scale_in + eps_in) * scale_out + eps_out
    direction = g / divisor
    if buffer is not None:
        buffer[...] = momentum * buffer + direction
        direction = buffer
    p[...] = p - step_size * direction
    terms.after(p, divisor, around)
