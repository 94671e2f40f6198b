"""How a function of the array API becomes one that records itself on the tape.

A rule is one line: it takes the cotangent g, the result, and the function's own arguments, and returns the cotangent of
one argument. Rules are written with the functions of this namespace, so they are differentiable themselves: a plain
backward pass hands them plain arrays, a pass that builds a graph hands them Tensors.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from twingrad.autodiff.tape import Node, is_recording, record
from twingrad.autodiff.tensor import Tensor
from twingrad.errors import AutodiffError
from twingrad.namespace import Array, namespace_of
from twingrad.recording import refuse_while_recording

Rule = Callable[..., Any]

primitives: dict[str, tuple[Rule, ...]] = {}
"""Every differentiable function with its rules: the tests and the documentation walk it."""


def primitive(
    name: str,
    *rules: Rule,
    broadcasts: bool = False,
    views: bool = False,
    implementation: Callable[..., Any] | None = None,
) -> Callable[..., Any]:
    """The array API function `name`, recording with `rules`: one for each leading array argument.

    broadcasts: the arguments broadcast together, so each rule's result is summed back to its argument's shape.
    views: the result may share the first argument's memory, so a write to one counts as a write to both.
    implementation: computes with plain arrays; by default the function `name` of the arrays' own namespace.
    """
    if broadcasts:
        rules = tuple(_summed_back(rule, position) for position, rule in enumerate(rules))
    primitives[name] = rules

    def function(*args: Any, **kwargs: Any) -> Any:
        plain = tuple([a.data if isinstance(a, Tensor) else a for a in args])
        compute = implementation or getattr(namespace_of(*plain[: len(rules)]), name)
        out = compute(*plain, **kwargs)
        if not any([isinstance(a, Tensor) for a in args]):
            return out
        refuse_while_recording(f"xp.{name}", "it has no bound form yet")
        return _result(name, rules, out, args, kwargs, views=views or out is plain[0])

    return _named(function, name)


def sequence_primitive(name: str, rule: Rule) -> Callable[..., Any]:
    """Like `primitive`, for functions whose first argument is a sequence of arrays.

    The rule returns the cotangents of all of them.
    """
    primitives[name] = (rule,)

    def function(arrays: Sequence[Any], /, **kwargs: Any) -> Any:
        arrays = tuple(arrays)
        plain = tuple([a.data if isinstance(a, Tensor) else a for a in arrays])
        out = getattr(namespace_of(*plain), name)(plain, **kwargs)
        if not any([isinstance(a, Tensor) for a in arrays]):
            return out
        refuse_while_recording(f"xp.{name}", "it has no bound form yet")
        if not is_recording(arrays):
            return Tensor(out)

        def backward(grad: Any, into: tuple[Any, ...]) -> Sequence[Any]:
            given = arrays if isinstance(grad, Tensor) else plain
            return [_cast(g, a) for g, a in zip(rule(grad, given, **kwargs), given, strict=True)]

        return record(name, out, arrays, backward)

    return _named(function, name)


def passthrough(name: str) -> Callable[..., Any]:
    """The array API function `name` where no gradient flows: Tensors in, an unrecorded Tensor out."""

    def function(*args: Any, **kwargs: Any) -> Any:
        plain = tuple([a.data if isinstance(a, Tensor) else a for a in args])
        out = getattr(namespace_of(*plain), name)(*plain, **kwargs)
        if not any([isinstance(a, Tensor) for a in args]):
            return out
        refuse_while_recording(f"xp.{name}", "it has no bound form yet")
        return Tensor(out)

    return _named(function, name)


def unbroadcast(g: Array, shape: tuple[int, ...]) -> Array:
    """Sum `g` over the axes along which an array of `shape` was broadcast to g's shape."""
    from twingrad import xp

    if g.shape == shape:
        return g
    extra = len(g.shape) - len(shape)
    stretched = [extra + i for i, n in enumerate(shape) if n == 1 and g.shape[extra + i] != 1]
    return xp.reshape(xp.sum(g, axis=(*range(extra), *stretched)), shape)


def _summed_back(rule: Rule, position: int) -> Rule:
    def summed(g: Any, out: Any, *args: Any, **kwargs: Any) -> Any:
        return unbroadcast(rule(g, out, *args, **kwargs), args[position].shape)

    return summed


def _backward(
    name: str,
    rules: tuple[Rule, ...],
    out: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    grad: Any,
    into: tuple[Any, ...],
) -> list[Any]:
    if isinstance(grad, Tensor):
        # A node that held its own result would be a cycle, so the result is put on the tape once more.
        return _apply(name, rules, grad, _result(name, rules, out, args, kwargs), args, kwargs, into)
    plain = tuple([a.data if isinstance(a, Tensor) else a for a in args])
    return _apply(name, rules, grad, out, plain, kwargs, into)


def _result(
    name: str, rules: tuple[Rule, ...], out: Any, args: tuple[Any, ...], kwargs: dict[str, Any], *, views: bool = False
) -> Tensor:
    result = Tensor(out)
    if views and isinstance(args[0], Tensor):
        result.writes = args[0].writes
    if is_recording(args):
        result.requires_grad = True
        result.node = Node(name, result, args, functools.partial(_backward, name, rules, out, args, kwargs))
    return result


def _apply(
    name: str,
    rules: tuple[Rule, ...],
    g: Any,
    out: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    into: tuple[Any, ...],
) -> list[Any]:
    gradients: list[Any] = []
    for position, destination in enumerate(into):
        if destination is None:
            gradients.append(None)
        elif position < len(rules):
            gradients.append(_cast(rules[position](g, out, *args, **kwargs), args[position]))
        else:
            raise AutodiffError(f"{name} is not differentiable in its argument {position}; detach() it")
    return gradients


def _cast(g: Any, argument: Array) -> Any:
    """`g` in the argument's dtype, which differs where two dtypes were promoted."""
    from twingrad import xp

    return g if g.dtype == argument.dtype else xp.astype(g, argument.dtype)


def _named(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"The array API's `{name}`, on plain arrays and on Tensors, which record it."
    return function
