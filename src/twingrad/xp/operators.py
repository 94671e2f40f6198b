"""Python's operators for Tensors: each is a function of this namespace, so that `x + y` costs no call more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twingrad.autodiff.tensor import Tensor
from twingrad.xp import elementwise, linalg

UNARY = {
    "pos": elementwise.positive, "neg": elementwise.negative, "abs": elementwise.abs,
    "invert": elementwise.bitwise_invert,
}  # fmt: skip
ARITHMETIC = {
    "add": elementwise.add, "sub": elementwise.subtract, "mul": elementwise.multiply, "truediv": elementwise.divide,
    "floordiv": elementwise.floor_divide, "mod": elementwise.remainder, "pow": elementwise.pow,
    "matmul": linalg.matmul, "and": elementwise.bitwise_and, "or": elementwise.bitwise_or,
    "xor": elementwise.bitwise_xor, "lshift": elementwise.bitwise_left_shift,
    "rshift": elementwise.bitwise_right_shift,
}  # fmt: skip
COMPARISON = {
    "lt": elementwise.less, "le": elementwise.less_equal, "gt": elementwise.greater, "ge": elementwise.greater_equal,
    "eq": elementwise.equal, "ne": elementwise.not_equal,
}  # fmt: skip


def reflected(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` with its two arguments exchanged, as Python asks the right operand."""

    def swapped(x: Any, y: Any) -> Any:
        return function(y, x)

    return swapped


for _name, _function in {**UNARY, **ARITHMETIC, **COMPARISON}.items():
    setattr(Tensor, f"__{_name}__", _function)
for _name, _function in ARITHMETIC.items():
    setattr(Tensor, f"__r{_name}__", reflected(_function))
