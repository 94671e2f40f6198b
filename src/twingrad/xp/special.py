"""`twingrad.xp.special`: what `scipy.special` asks a namespace for and does not compose of the standard itself."""

from __future__ import annotations

import math
from typing import Any

from twingrad.xp.composed import conforming
from twingrad.xp.elementwise import log
from twingrad.xp.primitive import primitive

__all__ = ["entr"]


def _plain_entr(x: Any) -> Any:
    """-x log(x) where x > 0, 0 at 0, -infinity below."""
    xp = conforming(x)
    inside = xp.where(x > 0, x, xp.ones_like(x))
    other = xp.where(x == 0, xp.zeros_like(x), xp.where(xp.isnan(x), x, xp.full_like(x, -math.inf)))
    return xp.where(x > 0, -inside * xp.log(inside), other)


entr = primitive("special.entr", lambda g, out, x, /: -g * (log(x) + 1), implementation=_plain_entr)
