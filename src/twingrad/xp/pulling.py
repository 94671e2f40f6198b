"""How a cotangent goes back through a function: its rules applied, their results in the arguments' shape and dtype."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twingrad.autodiff.tape import Node, is_complex
from twingrad.autodiff.tensor import Tensor, made
from twingrad.errors import AutodiffError
from twingrad.namespace import Array

Rule = Callable[..., Any]


def pull_one(rule: Rule) -> Callable[..., Sequence[Any]]:
    """The walk back through a function of one array."""

    def pull(node: Node, grad: Any, into: tuple[Any, ...]) -> Sequence[Any]:
        (x,) = node.inputs
        if isinstance(grad, Tensor):
            return (cast(node.name, rule(grad, _again(node), x), x),)
        return (cast(node.name, rule(grad, node.out, x.data), x.data),)

    return pull


def pull_two(left: Rule, right: Rule) -> Callable[..., Sequence[Any]]:
    """The walk back through a function of two arrays that broadcast."""

    def pull(node: Node, grad: Any, into: tuple[Any, ...]) -> Sequence[Any]:
        x, y = node.inputs
        if isinstance(grad, Tensor):
            out = _again(node)
        else:
            x, y, out = x.data if isinstance(x, Tensor) else x, y.data if isinstance(y, Tensor) else y, node.out
        of_x = None if into[0] is None else _fitted(node.name, left(grad, out, x, y), x)
        return of_x, None if into[1] is None else _fitted(node.name, right(grad, out, x, y), y)

    return pull


def pull_by(rules: tuple[Rule, ...], broadcasts: bool) -> Callable[..., list[Any]]:
    """The walk back through any function, with a rule for each of its first arguments."""

    def pull(node: Node, grad: Any, into: tuple[Any, ...]) -> list[Any]:
        if isinstance(grad, Tensor):
            args, out = node.inputs, _again(node)
        else:
            args, out = unwrapped(node.inputs), node.out
        gradients: list[Any] = [None] * len(into)
        for position, (rule, argument, place) in enumerate(zip(rules, args, into, strict=False)):
            if place is not None:
                found = rule(grad, out, *args, **node.keywords)
                gradients[position] = (_fitted if broadcasts else cast)(node.name, found, argument)
        for position in range(len(rules), len(into)):
            if into[position] is not None:
                raise AutodiffError(f"{node.name} is not differentiable in its argument {position}; detach() it")
        return gradients

    return pull


def _again(node: Node) -> Tensor:
    """The result of a node once more, on the tape, for a rule that is itself to be differentiated."""
    tensor = made(node.out, node)
    tensor.memory = node.memory
    return tensor


def unwrapped(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments with the arrays behind Tensors."""
    return tuple([a.data if isinstance(a, Tensor) else a for a in args])


def unbroadcast(g: Array, shape: tuple[int, ...]) -> Array:
    """Sum `g` over the axes along which an array of `shape` was broadcast to g's shape."""
    from twingrad import xp

    if g.shape == shape:
        return g
    extra = len(g.shape) - len(shape)
    stretched = [extra + i for i, n in enumerate(shape) if n == 1 and g.shape[extra + i] != 1]
    return xp.reshape(xp.sum(g, axis=(*range(extra), *stretched)), shape)


def _fitted(name: str, g: Any, argument: Array) -> Any:
    """`g` in the argument's shape, from which it was broadcast, and dtype."""
    if g.shape != argument.shape:
        g = unbroadcast(g, argument.shape)
    return g if g.dtype == argument.dtype else cast(name, g, argument)


def cast(name: str, g: Any, argument: Array) -> Any:
    """`g` in the argument's dtype, which differs where two dtypes were promoted.

    Every way from a real loss to a real leaf through complex numbers meets a difference of kind here.
    """
    if g.dtype == argument.dtype:
        return g
    from twingrad import xp

    if is_complex(g) or is_complex(argument):
        raise AutodiffError(no_complex_gradients(name))
    if not xp.isdtype(argument.dtype, "real floating"):
        raise AutodiffError(
            f"a gradient reaches the {argument.dtype} input of {name}; only floating tensors require one"
        )
    return xp.astype(g, argument.dtype)


def no_complex_gradients(name: str) -> str:
    """Why a backward pass stops at `name`."""
    return (
        f"{name} takes or gives complex numbers here, and gradients through complex arrays are not defined; "
        "detach() the tensor before, or compute with real and imaginary parts as two real arrays"
    )
