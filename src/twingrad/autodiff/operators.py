"""Python's operators of a Tensor, by name: `twingrad.xp.operators` sets each to a function of the namespace."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from twingrad.autodiff.tensor import Tensor

    _Unary = Callable[[Tensor], Tensor]
    _Binary = Callable[[Tensor, Any], Tensor]


class Operators:
    """What the standard asks for, and the reflected ones; `t += u` means `t = t + u`."""

    __slots__ = ()

    __pos__: ClassVar[_Unary]
    __neg__: ClassVar[_Unary]
    __abs__: ClassVar[_Unary]
    __invert__: ClassVar[_Unary]

    __add__: ClassVar[_Binary]
    __sub__: ClassVar[_Binary]
    __mul__: ClassVar[_Binary]
    __truediv__: ClassVar[_Binary]
    __floordiv__: ClassVar[_Binary]
    __mod__: ClassVar[_Binary]
    __pow__: ClassVar[_Binary]
    __matmul__: ClassVar[_Binary]
    __and__: ClassVar[_Binary]
    __or__: ClassVar[_Binary]
    __xor__: ClassVar[_Binary]
    __lshift__: ClassVar[_Binary]
    __rshift__: ClassVar[_Binary]

    __radd__: ClassVar[_Binary]
    __rsub__: ClassVar[_Binary]
    __rmul__: ClassVar[_Binary]
    __rtruediv__: ClassVar[_Binary]
    __rfloordiv__: ClassVar[_Binary]
    __rmod__: ClassVar[_Binary]
    __rpow__: ClassVar[_Binary]
    __rmatmul__: ClassVar[_Binary]
    __rand__: ClassVar[_Binary]
    __ror__: ClassVar[_Binary]
    __rxor__: ClassVar[_Binary]
    __rlshift__: ClassVar[_Binary]
    __rrshift__: ClassVar[_Binary]

    __lt__: ClassVar[_Binary]
    __le__: ClassVar[_Binary]
    __gt__: ClassVar[_Binary]
    __ge__: ClassVar[_Binary]
    __eq__: ClassVar[_Binary]  # type: ignore[assignment]
    __ne__: ClassVar[_Binary]  # type: ignore[assignment]
