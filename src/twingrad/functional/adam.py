"""Adam (Kingma and Ba 2015, Algorithm 1) and AdamW (Loshchilov and Hutter 2019)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twingrad.functional import terms
from twingrad.functional.checks import checked, integer
from twingrad.functional.segments import check_copy, check_segments, segments_of_one
from twingrad.functional.terms import Terms, scales_of_root
from twingrad.fusable import fusable
from twingrad.namespace import Array, namespace_of

RULE = ("step_size", "beta1", "1 - beta1", "beta2", "1 - beta2", "scale_in", "eps_in", "scale_out", "eps_out")
COLUMNS = (*RULE, *terms.COLUMNS)
"""The scalars that a segment's update needs: one row of `control`."""


def adam_control(
    *, step: int, lr: float, beta1: float, beta2: float, eps: float, eps_form: str = "outside", **around: float
) -> tuple[float, ...]:
    """The row of scalars for step number `step` (from 1), in the order of COLUMNS; computed once, on the host.

    around: of `Terms`.
    """
    correction1, correction2 = 1.0 - beta1**step, 1.0 - beta2**step
    averages = (lr / correction1, beta1, 1.0 - beta1, beta2, 1.0 - beta2)
    return (*averages, *scales_of_root(eps, correction2, eps_form), *Terms(**around))


def check(
    theta: Array,
    grad: Array,
    m: Array,
    v: Array,
    segments: Array,
    control: Array,
    *,
    average: Array | None = None,
    copy: Array | None = None,
) -> None:
    """Raise unless the arrays agree and the tables fit them."""
    check_copy("adam", theta, copy)
    arrays = {"param": theta, "grad": grad, "m": m, "v": v, "average": average}
    check_segments("adam", arrays, segments, control, len(COLUMNS))


@fusable(validate=check)
def adam_segments(
    theta: Array,
    grad: Array,
    m: Array,
    v: Array,
    segments: Array,
    control: Array,
    *,
    average: Array | None = None,
    copy: Array | None = None,
) -> None:
    """One Adam step on segments of flat arrays, in place on theta, m, v and average.

    theta, grad, m, v: (P,) of one floating dtype T. average: the same, of theta over the steps, or None.
    segments: (S, 2) int64, offset and length of each; those of length 0 are skipped. control: (S, 15) float64, the
    scalars of each, in the order of COLUMNS.

        m = beta1 m + (1 - beta1) g
        v = beta2 v + ((1 - beta2) g) g
        p = p - (step_size m) / (sqrt(v scale_in + eps_in) scale_out + eps_out)     step_size = lr / (1 - beta1^t)

    with the terms of `Terms` around it: clipping, L2 (Adam's weight_decay), decoupled decay (AdamW's), L1, the average.
    eps outside the root: sqrt(v) / sqrt(1 - beta2^t) + eps, with 1 / sqrt(1 - beta2^t) as scale_out; inside:
    sqrt(v / (1 - beta2^t) + eps). A factor of 1 and a term of 0 change no bit.
    copy: (P,) bfloat16, to which the segments of theta, float32, are then rounded; or None.
    Every operation is rounded to T, none contracted, and scalars are rounded to T first: kernels give the same bits.
    """
    for (offset, length), row in zip(segments.tolist(), control.tolist(), strict=True):
        if length:
            part = slice(offset, offset + length)
            _update(theta[part], grad[part], m[part], v[part], *row)
            terms.follow(average, theta, part, row[-1])
            terms.copied(copy, theta, part)


def adam_update(
    param: Array,
    grad: Array,
    m: Array,
    v: Array,
    *,
    step: int,
    lr: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    eps_form: str = "outside",
    weight_decay: float = 0.0,
) -> None:
    """One Adam step, in place on param, m and v: fused on NumPy and CuPy arrays, by reference on any other.

    param, grad, m, v: any one shape and floating dtype; m and v start as zeros (the course's V and S).
    step: counts from 1, for the bias corrections. eps_form: "outside" the root, as in the paper's Algorithm 1 and
    PyTorch, or "inside", sqrt(v + eps), where an eps of the same strength is the square. (The "epsilon hat" of the
    paper's section 2, Keras's, is eps / sqrt(1 - beta2^t) outside.)
    weight_decay: L2, added to the gradient (the course's lambda/m). The arithmetic is that of `adam_segments`.
    Raises ValueError for shapes or dtypes that differ, a read-only array, a step below 1, an lr, eps or weight_decay
    that is negative or not finite, or a beta outside [0, 1); TypeError for a step that is no integer.

    >>> import numpy as np
    >>> w, m, v = np.ones(1), np.zeros(1), np.zeros(1)
    >>> for t, g in enumerate([0.1, 0.2, -0.3], start=1):
    ...     adam_update(w, np.asarray([g]), m, v, step=t, lr=0.1)
    >>> print(w[0].round(12))
    0.810141714771
    """
    given = checked("adam: ", lr=lr, beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay)
    l2 = given.pop("weight_decay")
    _update_one(param, grad, m, v, adam_control(step=from_1("Adam", step), eps_form=eps_form, l2=l2, **given))


def adamw_update(
    param: Array,
    grad: Array,
    m: Array,
    v: Array,
    *,
    step: int,
    lr: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    eps_form: str = "outside",
    weight_decay: float = 1e-2,
) -> None:
    """One AdamW step, in place on param, m and v: Adam, with the parameters first shrunk by 1 - lr * weight_decay.

    Arguments and errors as in `adam_update`. Source: Loshchilov and Hutter 2019, Algorithm 2, with the decay scaled by
    lr as PyTorch does.

    >>> import numpy as np
    >>> w = np.ones(1)
    >>> adamw_update(w, np.zeros(1), np.zeros(1), np.zeros(1), step=1, lr=0.1, weight_decay=0.5)
    >>> w
    array([0.95])
    """
    given = checked("adamw: ", lr=lr, beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay)
    shrink = 1.0 - given["lr"] * given.pop("weight_decay")
    _update_one(param, grad, m, v, adam_control(step=from_1("AdamW", step), eps_form=eps_form, shrink=shrink, **given))


def _update_one(param: Array, grad: Array, m: Array, v: Array, row: tuple[float, ...]) -> None:
    flat, segments = segments_of_one("adam", {"param": param, "grad": grad, "m": m, "v": v}, {"grad"})
    control: NDArray[np.float64] = np.asarray([row])
    adam_segments(*flat, segments, control)


def _update(p: Array, g: Array, m: Array, v: Array, *row: float) -> None:
    step_size, beta1, one_minus_beta1, beta2, one_minus_beta2, scale_in, eps_in, scale_out, eps_out, *rest = row
    around = Terms(*rest)
    g = terms.before(p, g, around)
    m[...] = beta1 * m + one_minus_beta1 * g
    v[...] = beta2 * v + (one_minus_beta2 * g) * g
    divisor = namespace_of(p).sqrt(v * scale_in + eps_in) * scale_out + eps_out
    p[...] = p - (step_size * m) / divisor
    terms.after(p, divisor, around)


def from_1(rule: str, step: int) -> int:
    """`step` as an int; TypeError where it is none, ValueError below 1."""
    whole = integer(f"{rule}: step", step)
    if whole < 1:
        raise ValueError(f"{rule} counts its steps from 1, for the bias corrections; got step {step}")
    return whole
