"""Elementwise functions: the arguments broadcast, and each rule is one line of calculus.

At a kink the rules take the convention of PyTorch: abs'(0) = 0, and where maximum or minimum tie, half of the
cotangent goes to each argument. `notes.py` has them all.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from twingrad.xp.composed import library
from twingrad.xp.creation import zeros_like
from twingrad.xp.primitive import passthrough, primitive

# fmt: off
add = primitive("add", lambda g, out, x, y: g, lambda g, out, x, y: g, broadcasts=True)
subtract = primitive("subtract", lambda g, out, x, y: g, lambda g, out, x, y: -g, broadcasts=True)
multiply = primitive("multiply", lambda g, out, x, y: g * y, lambda g, out, x, y: g * x, broadcasts=True)
divide = primitive("divide", lambda g, out, x, y: g / y, lambda g, out, x, y: -g * out / y, broadcasts=True)
pow = primitive(
    "pow", lambda g, out, x, y: _pow_base(g, x, y), lambda g, out, x, y: g * out * _log_base(x, y), broadcasts=True
)
negative = primitive("negative", lambda g, out, x: -g)
positive = primitive("positive", lambda g, out, x: g)
abs = primitive("abs", lambda g, out, x: g * sign(x))
square = primitive("square", lambda g, out, x: g * 2 * x)
reciprocal = primitive("reciprocal", lambda g, out, x: -g * out * out)
sqrt = primitive("sqrt", lambda g, out, x: g * 0.5 / out)
exp = primitive("exp", lambda g, out, x: g * out)
expm1 = primitive("expm1", lambda g, out, x: g * (out + 1))
log = primitive("log", lambda g, out, x: g / x)
log1p = primitive("log1p", lambda g, out, x: g / (1 + x))
log2 = primitive("log2", lambda g, out, x: g / (x * math.log(2)))
log10 = primitive("log10", lambda g, out, x: g / (x * math.log(10)))
sin = primitive("sin", lambda g, out, x: g * cos(x))
cos = primitive("cos", lambda g, out, x: -g * sin(x))
tan = primitive("tan", lambda g, out, x: g * (1 + out * out))
asin = primitive("asin", lambda g, out, x: g / sqrt(1 - x * x))
acos = primitive("acos", lambda g, out, x: -g / sqrt(1 - x * x))
atan = primitive("atan", lambda g, out, x: g / (1 + x * x))
sinh = primitive("sinh", lambda g, out, x: g * cosh(x))
cosh = primitive("cosh", lambda g, out, x: g * sinh(x))
tanh = primitive("tanh", lambda g, out, x: g * (1 - out * out))
asinh = primitive("asinh", lambda g, out, x: g / sqrt(1 + x * x))
acosh = primitive("acosh", lambda g, out, x: g / sqrt(x * x - 1))
atanh = primitive("atanh", lambda g, out, x: g / (1 - x * x))
atan2 = primitive(
    "atan2",
    lambda g, out, y, x: g * x / _squares(x, y),
    lambda g, out, y, x: -g * y / _squares(x, y),
    broadcasts=True,
)
hypot = primitive("hypot", lambda g, out, x, y: g * x / out, lambda g, out, x, y: g * y / out, broadcasts=True)
logaddexp = primitive(
    "logaddexp",
    lambda g, out, x, y: g * _share(x, y),
    lambda g, out, x, y: g * _share(y, x),
    broadcasts=True,
)
maximum = primitive(
    "maximum",
    lambda g, out, x, y: _shared(g, less(x, y), equal(x, y)),
    lambda g, out, x, y: _shared(g, less(y, x), equal(x, y)),
    broadcasts=True,
)
minimum = primitive(
    "minimum",
    lambda g, out, x, y: _shared(g, greater(x, y), equal(x, y)),
    lambda g, out, x, y: _shared(g, greater(y, x), equal(x, y)),
    broadcasts=True,
)
remainder = primitive(
    "remainder", lambda g, out, x, y: g, lambda g, out, x, y: -g * floor_divide(x, y), broadcasts=True
)
where = primitive(
    "where",
    lambda g, out, condition, x, y: None,
    lambda g, out, condition, x, y: where(condition, g, 0),
    lambda g, out, condition, x, y: where(condition, 0, g),
    broadcasts=True,
)

copysign = primitive(
    "copysign",
    lambda g, out, x, y: g * sign(x) * sign(out),
    lambda g, out, x, y: zeros_like(g),
    broadcasts=True,
)
nextafter = primitive(
    "nextafter", lambda g, out, x, y: g, lambda g, out, x, y: zeros_like(g), broadcasts=True
)
real = primitive("real", lambda g, out, x: g, views=True)
imag = primitive("imag", lambda g, out, x: zeros_like(g))
conj = primitive("conj", lambda g, out, x: g)
_clip = primitive(
    "clip",
    lambda g, out, x, low, high: _unclipped(g, x, low, high),
    lambda g, out, x, low, high: _raised(g, x, low, high),
    lambda g, out, x, low, high: _lowered(g, x, low, high),
    broadcasts=True,
    implementation=lambda x, low, high: _plain_clip(x, low, high),
)

sign = passthrough("sign")
floor = passthrough("floor")
ceil = passthrough("ceil")
round = passthrough("round")
trunc = passthrough("trunc")
floor_divide = passthrough("floor_divide")
isfinite = passthrough("isfinite")
isinf = passthrough("isinf")
isnan = passthrough("isnan")
signbit = passthrough("signbit")
equal = passthrough("equal")
not_equal = passthrough("not_equal")
less = passthrough("less")
less_equal = passthrough("less_equal")
greater = passthrough("greater")
greater_equal = passthrough("greater_equal")
logical_and = passthrough("logical_and")
logical_or = passthrough("logical_or")
logical_xor = passthrough("logical_xor")
logical_not = passthrough("logical_not")
bitwise_and = passthrough("bitwise_and")
bitwise_or = passthrough("bitwise_or")
bitwise_xor = passthrough("bitwise_xor")
bitwise_invert = passthrough("bitwise_invert")
bitwise_left_shift = passthrough("bitwise_left_shift")
bitwise_right_shift = passthrough("bitwise_right_shift")
# fmt: on


def clip(x: Any, /, min: Any = None, max: Any = None) -> Any:
    """x with what is below `min` raised to it, and then what is above `max` lowered to it, in the dtype of x.

    The cotangent goes to x where min <= x <= max, else to the bound that was taken.
    """
    return _clip(x, min, max)


def _plain_clip(x: Any, low: Any, high: Any) -> Any:
    """The library's, which may write into integer bounds: those are copied first. NumPy's own for numbers as bounds."""
    if type(x) is np.ndarray and x.dtype.kind == "f" and type(low) in _NUMBERS and type(high) in _NUMBERS:
        return x.copy() if low is None is high else x.clip(low, high)
    low, high = [np.array(b) if isinstance(b, np.ndarray) else b for b in (low, high)]
    return library("clip")(x, low, high)


_NUMBERS = frozenset({int, float, type(None)})


def _unclipped(g: Any, x: Any, low: Any, high: Any) -> Any:
    g = g if low is None else where(less(x, low), 0, g)
    return g if high is None else where(greater(x, high), 0, g)


def _raised(g: Any, x: Any, low: Any, high: Any) -> Any:
    g = where(less(x, low), g, 0)
    return g if high is None else where(less(high, low), 0, g)


def _lowered(g: Any, x: Any, low: Any, high: Any) -> Any:
    above = greater(x, high)
    return where(above if low is None else logical_or(above, less(high, low)), g, 0)


def _squares(x: Any, y: Any) -> Any:
    """x^2 + y^2, and 1 where that is 0."""
    total = x * x + y * y
    return where(equal(total, 0), 1, total)


def _share(x: Any, y: Any) -> Any:
    """e^x / (e^x + e^y) of their difference alone: log(e^x + e^y) is rounded as coarsely as x is large."""
    gap = y - x
    return exp(-logaddexp(gap, zeros_like(gap)))


def _shared(g: Any, loses: Any, ties: Any) -> Any:
    """The part of g that belongs to one argument of maximum or minimum; a NaN loses to nothing."""
    return where(loses, 0, where(ties, g * 0.5, g))


def _pow_base(g: Any, x: Any, y: Any) -> Any:
    """d/dx x**y = y x**(y-1), and 0 at x = y = 0."""
    if isinstance(y, int | float):
        return g * (y * x ** (y - 1)) if y else g * 0
    return g * y * x ** where(logical_and(equal(x, 0), equal(y, 0)), 1, y - 1)


def _log_base(x: Any, y: Any) -> Any:
    """log x as d/dy x**y = x**y log x needs it: 0 where x = 0 and y >= 0, for there x**y does not depend on y > 0."""
    if isinstance(x, int | float):
        if x:
            return math.log(x) if x > 0 else math.nan
        x = zeros_like(y)
    return log(where(logical_and(equal(x, 0), greater_equal(y, 0)), 1, x))
