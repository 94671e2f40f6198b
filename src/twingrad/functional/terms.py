"""What the update rules of all optimizers share: clipping, weight decay in its forms, L1, the average of weights."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from twingrad.functional.storage import narrow
from twingrad.namespace import Array, namespace_of


class Terms(NamedTuple):
    """The scalars of a segment that stand around every rule; each does nothing by default.

        g = factor g                            1 / loss scale, and clipping by norm: see `clip_segments`
        g = min(max(g, -limit), limit)          clipping by value
        g = g + l2 p                            weight decay as L2 regularisation
        p = shrink p                            decoupled decay: shrink = 1 - lr weight_decay
        ... the rule, which moves p by a multiple of 1 / divisor (1 for gradient descent) ...
        p = sign(p) max(|p| - threshold / divisor, 0)       L1 as a proximal step: threshold = lr l1
        average = average + blend (p - average)             where an average is given: blend = 1 - decay

    In this order, each only where it changes something (factor != 1, limit finite, l2 != 0, ...). The threshold has the
    scale of the step, so that a weight rests at 0 where the gradient of the loss is at most l1, as the penalty l1 |p|
    has it (Yun, Lozano and Yang 2021, Algorithm 1). The average is decay average + (1 - decay) p in the form that rests
    where p rests: rounded, the two factors do not add up to 1.
    """

    factor: float = 1.0
    limit: float = math.inf
    l2: float = 0.0
    shrink: float = 1.0
    threshold: float = 0.0
    blend: float = 0.0


COLUMNS = Terms._fields
"""The last columns of every rule's control."""


def before(p: Array, g: Array, terms: Terms) -> Array:
    """The gradient that the rule sees; the decoupled decay is written to p."""
    xp: Any = namespace_of(p)
    if terms.factor != 1.0:
        g = g * terms.factor
    if terms.limit != math.inf:
        g = xp.where(g < -terms.limit, -terms.limit, g)
        g = xp.where(g > terms.limit, terms.limit, g)
    if terms.l2 != 0.0:
        g = g + terms.l2 * p
    if terms.shrink != 1.0:
        p[...] = p * terms.shrink
    return g


def after(p: Array, divisor: Any, terms: Terms) -> None:
    """Soft-threshold what the rule wrote, in place."""
    if terms.threshold != 0.0:
        t = terms.threshold / divisor
        xp: Any = namespace_of(p)
        p[...] = xp.where((p <= t) & (p >= -t), 0, xp.where(p > 0, p - t, p + t))


def follow(average: Array | None, p: Array, part: slice, blend: float) -> None:
    """Move a part of the average of the weights, if there is one, towards what the rule wrote; in place."""
    if average is not None:
        average[part] = average[part] + blend * (p[part] - average[part])


def copied(copy: Array | None, p: Array, part: slice) -> None:
    """Round a part of what the rule wrote to its bfloat16 copy, if there is one."""
    if copy is not None:
        copy[part] = narrow(p[part])


def scales_of_root(eps: float, correction: float, form: str) -> tuple[float, float, float, float]:
    """(scale_in, eps_in, scale_out, eps_out) of sqrt(v scale_in + eps_in) scale_out + eps_out.

    correction: divides v. form: "outside", sqrt(v / correction) + eps, or "inside", sqrt(v / correction + eps).
    """
    if form == "outside":
        return 1.0, 0.0, 1.0 / math.sqrt(correction), eps
    if form == "inside":
        return 1.0 / correction, eps, 1.0, 0.0
    raise ValueError(f"eps_form is 'outside' or 'inside' the root, got {form!r}")
