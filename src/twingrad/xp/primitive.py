"""How a function of the array API becomes one that records itself on the tape.

A rule is one line: it takes the cotangent g, the result, and the function's own arguments, and returns the cotangent of
one argument. Rules are written with the functions of this namespace, so they are differentiable themselves: a plain
backward pass hands them plain arrays, a pass that builds a graph hands them Tensors.

A recorded operation on small arrays must cost little beside the operation itself. So functions of one and two arrays,
most of the namespace, have a form of their own without loops, and one that knows NumPy's ufunc; see `bench_autodiff`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from twingrad.autodiff.tape import Node, Operation, enabled, is_recording, recorded
from twingrad.autodiff.tensor import Tensor, made
from twingrad.namespace import NUMPY_OPERANDS, dtype_in, namespace_of
from twingrad.recording import bound_form, refuse_while_recording, under_way
from twingrad.xp.complaints import complaint
from twingrad.xp.numpys import DIRECT, REDUCTIONS, ufunc_of
from twingrad.xp.pulling import Rule, cast, pull_by, pull_one, pull_two, unwrapped

Function = Callable[..., Any]

primitives: dict[str, tuple[Rule, ...]] = {}
"""Every differentiable function with its rules: the tests and the documentation walk it."""


def primitive(
    name: str,
    *rules: Rule,
    broadcasts: bool = False,
    views: bool = False,
    implementation: Function | None = None,
) -> Function:
    """The array API function `name`, recording with `rules`: one for each leading array argument.

    broadcasts: the arguments broadcast together, so each rule's result is summed back to its argument's shape.
    views: the result may share the first argument's memory, so a write to one counts as a write to both.
    implementation: computes with plain arrays; by default the function `name` of the arrays' own namespace.
    """
    primitives[name] = rules
    return recording(
        name, rules, broadcasts=broadcasts, views=views, implementation=implementation, signature=(rules[0], 2)
    )


def recording(
    name: str,
    rules: tuple[Rule, ...],
    *,
    signature: tuple[Function, int],
    broadcasts: bool = False,
    views: bool = False,
    implementation: Function | None = None,
) -> Function:
    """`primitive` without an entry in the table of `primitives`; signature: see `_named`."""
    ufunc = None if implementation or views else ufunc_of(name)
    if ufunc is not None and ufunc.nin == len(rules) == 1:
        return _named(_unary(name, Operation(name, pull_one(*rules)), ufunc), name, *signature)
    if ufunc is not None and ufunc.nin == len(rules) == 2:
        return _named(_binary(name, Operation(name, pull_two(*rules)), ufunc), name, *signature)
    operation = Operation(name, pull_by(rules, broadcasts))
    general = _general(operation, len(rules), broadcasts, views, implementation)
    if name in REDUCTIONS:
        return _named(_reducing(operation, general, REDUCTIONS[name]), name, *signature)
    return _named(_single(operation, general, views, implementation) if len(rules) == 1 else general, name, *signature)


def passthrough(name: str) -> Function:
    """The array API function `name` where no gradient flows: Tensors in, an unrecorded Tensor out."""
    ufunc = ufunc_of(name)
    if ufunc is not None:
        return _named((_unary if ufunc.nin == 1 else _binary)(name, None, ufunc), name)

    def function(*args: Any, **kwargs: Any) -> Any:
        plain = tuple([a.data if isinstance(a, Tensor) else a for a in args])
        try:
            out = getattr(namespace_of(*plain), name)(*plain, **kwargs)
        except Exception as error:
            raise complaint(name, plain, error, broadcasts=True) from error
        if not any([isinstance(a, Tensor) for a in args]):
            return out
        refuse_while_recording(f"xp.{name}", UNBOUND)
        return made(out)

    return _named(function, name)


def sequence_primitive(name: str, rule: Rule) -> Function:
    """Like `primitive`, for functions whose first argument is a sequence of arrays.

    The rule returns the cotangents of all of them.
    """
    primitives[name] = (rule,)

    def pull(node: Node, grad: Any, into: tuple[Any, ...]) -> Sequence[Any]:
        given = node.inputs if isinstance(grad, Tensor) else unwrapped(node.inputs)
        found = zip(rule(grad, given, **node.keywords), given, into, strict=True)
        return [None if place is None else cast(name, g, array) for g, array, place in found]

    operation, numpys = Operation(name, pull), getattr(np, name)

    def function(arrays: Sequence[Any], /, **kwargs: Any) -> Any:
        arrays = tuple(arrays)
        plain = unwrapped(arrays)
        try:
            own = arrays and _NUMPYS.issuperset(map(type, plain))
            out = (numpys if own else getattr(namespace_of(*plain), name))(plain, **kwargs)
        except Exception as error:
            raise complaint(name, plain, error) from error
        if not any([isinstance(a, Tensor) for a in arrays]):
            return out
        if under_way:
            refuse_while_recording(f"xp.{name}", UNBOUND)
        return made(out, recorded(operation, out, arrays, kwargs) if is_recording(arrays) else None)

    return _named(function, name, rule, 1)


UNBOUND = "it has no bound form yet"
_NONE: dict[str, Any] = {}
_NUMPYS = frozenset({ndarray})


def _unary(name: str, operation: Operation | None, ufunc: Any) -> Function:
    def function(x: Any, /) -> Any:
        plain = x.data if isinstance(x, Tensor) else x
        try:
            out = ufunc(plain) if type(plain) is ndarray else getattr(namespace_of(plain), name)(plain)
        except Exception as error:
            raise complaint(name, (plain,), error) from error
        if plain is x:
            return out
        if under_way and (form := bound_form(name, (x,), _NONE)) is not None:
            return form
        if operation is not None and x.requires_grad and enabled.get():
            return made(out, recorded(operation, out, (x,), _NONE))
        return made(out)

    return function


def _binary(name: str, operation: Operation | None, ufunc: Any) -> Function:
    def function(x: Any, y: Any, /) -> Any:
        if isinstance(x, Tensor):
            a, tensor, wanted = x.data, True, x.requires_grad
        else:
            a, tensor, wanted = x, False, False
        if isinstance(y, Tensor):
            b, tensor, wanted = y.data, True, wanted or y.requires_grad
        else:
            b = y
        try:
            if (type(a) is ndarray and type(b) in NUMPY_OPERANDS) or (type(b) is ndarray and type(a) in NUMPY_OPERANDS):
                out = ufunc(a, b)
            else:
                out = getattr(namespace_of(a, b), name)(a, b)
        except Exception as error:
            raise complaint(name, (a, b), error, broadcasts=True) from error
        if not tensor:
            return out
        if under_way and (form := bound_form(name, (x, y), _NONE)) is not None:
            return form
        if wanted and operation is not None and enabled.get():
            return made(out, recorded(operation, out, (x, y), _NONE))
        return made(out)

    return function


def _reducing(operation: Operation, general: Function, reduce: Function) -> Function:
    name = operation.name
    casts = name in ("sum", "prod")

    def function(x: Any, /, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
        plain = x.data if isinstance(x, Tensor) else x
        if type(plain) is not ndarray or (dtype is not None and not casts):
            cast = {} if dtype is None else {"dtype": dtype_in(namespace_of(plain), dtype)}
            return general(x, axis=axis, keepdims=keepdims, **cast)
        try:
            out = reduce(plain, axis, dtype, None, keepdims)
        except Exception as error:
            raise complaint(name, (plain,), error) from error
        if plain is x:
            return out
        out = out if type(out) is ndarray else np.asarray(out)
        args = ((x,) if axis is None else (x, axis)) if dtype is None else (x, axis, dtype)
        keywords = {"keepdims": True} if keepdims else _NONE
        if under_way and (form := bound_form(name, args, keywords)) is not None:
            return form
        return made(out, recorded(operation, out, args, keywords) if x.requires_grad and enabled.get() else None)

    return function


def _single(operation: Operation, general: Function, views: bool, implementation: Function | None) -> Function:
    """For one array and options, which may be arrays too; `general` does what is rare."""
    name = operation.name
    numpys: Any = implementation or DIRECT.get(name) or getattr(np, name, None)

    def function(*args: Any, **kwargs: Any) -> Any:
        x: Any = args[0] if args else None
        plain = x.data if isinstance(x, Tensor) else x
        if type(plain) is not ndarray or (plain is x and len(args) > 1):
            return general(*args, **kwargs)
        try:
            if len(args) == 1:
                out = numpys(plain, **kwargs)
            elif len(args) == 2 and not isinstance(args[1], Tensor):
                out = numpys(plain, args[1], **kwargs)
            else:
                out = numpys(plain, *unwrapped(args[1:]), **kwargs)
        except Exception as error:
            raise complaint(name, (plain,), error) from error
        if plain is x:
            return out
        if under_way and (form := bound_form(name, args, kwargs)) is not None:
            return form
        wanted = enabled.get() if x.requires_grad else len(args) > 1 and is_recording(args)
        result = made(out, recorded(operation, out, args, kwargs) if wanted else None)
        if views or out is plain:
            result.memory = x.shared_memory()
        return result

    return function


def _general(
    operation: Operation, arrays: int, broadcasts: bool, views: bool, implementation: Function | None
) -> Function:
    name = operation.name

    def function(*args: Any, **kwargs: Any) -> Any:
        plain, tensor, wanted = [], False, False
        for a in args:
            if isinstance(a, Tensor):
                tensor, wanted = True, wanted or a.requires_grad
                plain.append(a.data)
            else:
                plain.append(a)
        try:
            compute = implementation or getattr(namespace_of(*plain[:arrays]), name)
            out = compute(*plain, **kwargs)
        except Exception as error:
            raise complaint(name, tuple(plain[:arrays]), error, broadcasts) from error
        if not tensor:
            return out
        if under_way and (form := bound_form(name, args, kwargs)) is not None:
            return form
        result = made(out, recorded(operation, out, args, kwargs) if wanted and enabled.get() else None)
        if (views or out is plain[0]) and isinstance(args[0], Tensor):
            result.memory = args[0].shared_memory()
        return result

    return function


def _named(function: Function, name: str, rule: Rule | None = None, before: int = 0) -> Function:
    """`function` with the parameters of its rule, which has `before` others first."""
    function.__name__ = function.__qualname__ = name.rpartition(".")[2]
    function.__doc__ = f"The array API's `{name}`, on plain arrays and on Tensors, which record it."
    if rule is not None:
        parameters = list(inspect.signature(rule).parameters.values())[before:]
        function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return function
