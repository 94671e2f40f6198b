"""Gradient descent, plain and with momentum."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad.functional import terms
from twingrad.functional.adam import from_1
from twingrad.functional.checks import checked
from twingrad.functional.segments import check_copy, check_segments, segments_of_one
from twingrad.functional.terms import Terms
from twingrad.fusable import fusable
from twingrad.namespace import Array

RULE = ("step_size", "momentum", "gain", "nesterov")
COLUMNS = (*RULE, *terms.COLUMNS)
"""The scalars that a segment's update needs: one row of `control`."""

FORMS = ("pytorch", "course")


def sgd_control(
    *,
    step: int,
    lr: float,
    momentum: float = 0.0,
    form: str = "pytorch",
    nesterov: bool = False,
    bias_correction: bool = False,
    **around: float,
) -> tuple[float, ...]:
    """The row of scalars for step number `step` (from 1), in the order of COLUMNS; around: of `Terms`."""
    if form not in FORMS:
        raise ValueError(f"form of momentum is one of {', '.join(FORMS)}; got {form!r}")
    gain = 1.0 - momentum if form == "course" else 1.0
    step_size = lr / (1.0 - momentum**step) if bias_correction else lr
    return (step_size, momentum, gain, float(nesterov), *Terms(**around))


def check_nesterov(nesterov: bool, bias_correction: bool) -> None:
    """Raise ValueError where both are asked for."""
    if nesterov and bias_correction:
        raise ValueError("bias_correction of Nesterov's momentum is not defined; choose one of the two")


def check(
    theta: Array,
    grad: Array,
    m: Array | None,
    segments: Array,
    control: Array,
    *,
    average: Array | None = None,
    copy: Array | None = None,
) -> None:
    """Raise unless the arrays agree and the tables fit them."""
    check_copy("sgd", theta, copy)
    arrays = {"param": theta, "grad": grad, "m": m, "average": average}
    check_segments("sgd", arrays, segments, control, len(COLUMNS))


@fusable(validate=check)
def sgd_segments(
    theta: Array,
    grad: Array,
    m: Array | None,
    segments: Array,
    control: Array,
    *,
    average: Array | None = None,
    copy: Array | None = None,
) -> None:
    """One step of gradient descent on segments of flat arrays, in place on theta, m and average.

    theta, grad: (P,) of one floating dtype T. m: the same, the momentum; or None for plain descent. average: the same,
    of theta over the steps, or None. segments: (S, 2) int64, offset and length of each; those of length 0 are skipped.
    control: (S, 10) float64, the scalars of each, in the order of COLUMNS.

        without m:   p = p - step_size g
        with it:     m = momentum m + gain g
                     p = p - step_size m                          or, with Nesterov's look-ahead,
                     p = p - step_size (gain g + momentum m)

    with the terms of `Terms` around it: clipping, L2, decoupled decay, L1, the average.
    copy: (P,) bfloat16, to which the segments of theta, float32, are then rounded; or None.
    Every operation is rounded to T, none contracted, and scalars are rounded to T first: kernels give the same bits.
    """
    for (offset, length), row in zip(segments.tolist(), control.tolist(), strict=True):
        if length:
            part = slice(offset, offset + length)
            _update(theta[part], grad[part], None if m is None else m[part], *row)
            terms.follow(average, theta, part, row[-1])
            terms.copied(copy, theta, part)


def sgd_update(param: Array, grad: Array, *, lr: float, weight_decay: float = 0.0) -> None:
    """One step of gradient descent, in place: p - lr (g + weight_decay p).

    param, grad: any one shape and floating dtype. weight_decay: L2, the course's lambda/m.
    Raises ValueError for shapes or dtypes that differ, a read-only param, or an lr or weight_decay that is negative or
    not finite.

    >>> import numpy as np
    >>> w = np.asarray([2.0])
    >>> sgd_update(w, np.asarray([0.3]), lr=0.1, weight_decay=0.05)
    >>> w
    array([1.96])
    """
    lr, l2 = checked("sgd: ", lr=lr, weight_decay=weight_decay).values()
    flat, segments = segments_of_one("sgd", {"param": param, "grad": grad}, {"grad"})
    control: NDArray[np.float64] = np.asarray([sgd_control(step=1, lr=lr, l2=l2)])
    sgd_segments(*flat, None, segments, control)


def momentum_update(
    param: Array,
    grad: Array,
    m: Array,
    *,
    step: int,
    lr: float,
    momentum: float = 0.9,
    form: str = "pytorch",
    nesterov: bool = False,
    bias_correction: bool = False,
    weight_decay: float = 0.0,
) -> None:
    """One step of gradient descent with momentum, in place on param and m.

    param, grad, m: any one shape and floating dtype; m starts as zeros (the course's V). step: counts from 1.
    form: "pytorch", m = momentum m + g; or "course", m = momentum m + (1 - momentum) g, which is the former with
    lr (1 - momentum). (PyTorch's dampening = momentum is neither: its first step is undampened.)
    nesterov: the look-ahead of `sgd_segments`. bias_correction: divides by 1 - momentum^step. weight_decay: L2.
    Raises ValueError for shapes or dtypes that differ, a read-only array, a step below 1, an lr or weight_decay that is
    negative or not finite, or a momentum outside [0, 1).

    >>> import numpy as np
    >>> w, m = np.ones(1), np.zeros(1)
    >>> for t, g in enumerate([0.1, 0.2, -0.3], start=1):
    ...     momentum_update(w, np.asarray([g]), m, step=t, lr=0.1, form="course")
    ...     print(w[0].round(9))
    0.999
    0.9961
    0.99649
    """
    given = checked("momentum: ", lr=lr, momentum=momentum, weight_decay=weight_decay)
    check_nesterov(nesterov, bias_correction)
    options: dict[str, Any] = {"form": form, "nesterov": nesterov, "bias_correction": bias_correction}
    row = sgd_control(step=from_1("momentum", step), l2=given.pop("weight_decay"), **options, **given)
    flat, segments = segments_of_one("momentum", {"param": param, "grad": grad, "m": m}, {"grad"})
    sgd_segments(*flat, segments, np.asarray([row]))


def _update(p: Array, g: Array, m: Array | None, *row: float) -> None:
    step_size, momentum, gain, nesterov, *rest = row
    around = Terms(*rest)
    g = terms.before(p, g, around)
    if m is None:
        p[...] = p - step_size * g
    else:
        gained = gain * g
        m[...] = momentum * m + gained
        p[...] = p - step_size * (gained + momentum * m if nesterov else m)
    terms.after(p, 1.0, around)
