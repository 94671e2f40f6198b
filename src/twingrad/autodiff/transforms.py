"""More transforms of functions: products with the Jacobian and the Hessian, and the Jacobian itself."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from twingrad.autodiff import walk
from twingrad.autodiff.calls import Call
from twingrad.autodiff.functions import described, grad
from twingrad.autodiff.tensor import Tensor
from twingrad.errors import AutodiffError
from twingrad.namespace import namespace_of


def vjp(function: Callable[..., Any], *args: Any) -> tuple[Any, Callable[..., tuple[Any, ...]]]:
    """`function(*args)`, and a function that takes a cotangent u of the result to u^T J, one for each argument.

    function: takes floating arrays, returns an array or a tuple of them; then u is a tuple too. What else it needs, it
    takes from outside. u: of the result's shape. The second function may be called again and again.
    Plain arrays give plain arrays, Tensors give Tensors, as with `value_and_grad`.

    >>> import numpy as np
    >>> out, pull = vjp(lambda x: x**2, np.asarray([1.0, 2.0]))
    >>> out, pull(np.asarray([1.0, 10.0]))
    (array([1., 4.]), (array([ 2., 40.]),))
    """
    if not args:
        raise TypeError("vjp needs the arguments at which to differentiate: vjp(f, x, ...)")
    return _vjp("vjp", "cotangent", function, args)


def _vjp(who: str, what: str, function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, Callable[..., Any]]:
    """`vjp` for the transform `who`, whose errors call the cotangents a `what`."""
    call = Call(function, args, {}, tuple(range(len(args))))
    several = isinstance(call.value, tuple | list)
    roots = _tensors(who, call.value if several else [call.value])

    def pull(cotangent: Any) -> tuple[Any, ...]:
        given = cotangent if several else [cotangent]
        if not isinstance(given, tuple | list) or len(given) != len(roots):
            found = len(given) if isinstance(given, tuple | list) else f"a {type(given).__name__}"
            raise ValueError(f"{who} needs a tuple of a {what} for each of {len(roots)} arrays, got {found}")
        seeds = [walk.seed_of(r, c, f"a {what} of {who}") for r, c in zip(roots, given, strict=True)]
        return tuple(call.pull(roots, seeds))

    out = tuple(map(call.given_back, roots)) if several else call.given_back(roots[0])
    return out, pull


def jacobian(function: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """The matrix of all derivatives of a function of arrays, as a function: shape (*out.shape, *argument.shape).

    One forward pass, and a backward pass for each element of the result. argnums and results: as of `value_and_grad`.

    >>> import numpy as np
    >>> jacobian(lambda x: x**2)(np.asarray([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        call = Call(function, args, kwargs, argnums)
        (value,) = _tensors("jacobian", [call.value])
        rows = [call.pull([value], [seed]) for seed in _unit_seeds(value)]
        found = [_stacked([row[k] for row in rows], value, target) for k, target in enumerate(call.targets)]
        found = [call.given_back(array) if isinstance(array, Tensor) else array for array in found]
        return tuple(found) if isinstance(argnums, tuple) else found[0]

    return wrapped


def hvp(function: Callable[..., Any], args: Any, vectors: Any) -> Any:
    """The product of the Hessian of a scalar function with a vector, without the Hessian: the gradient's own vjp.

    args: an array, or a tuple of the arguments; vectors: as args, and so is the result.
    Fused kernels have no second derivative: compute `with tg.fused("never"):`.

    >>> import numpy as np
    >>> x, v = np.asarray([1.0, 2.0]), np.asarray([1.0, 0.0])
    >>> hvp(lambda x: x[0] ** 2 * x[1], x, v)
    array([4., 2.])
    """
    points, along = (args, vectors) if isinstance(args, tuple) else ((args,), (vectors,))
    _, pull = _vjp("hvp", "vector", grad(function, tuple(range(len(points)))), points)
    found = pull(along)
    return found if isinstance(args, tuple) else found[0]


def jvp(function: Callable[..., Any], args: Any, tangents: Any) -> tuple[Any, Any]:
    """`function(*args)` and J v, the change of the result along the tangents v: the vjp of u -> u^T J, which is linear.

    args: an array, or a tuple of the arguments; tangents: as args. function returns one array.

    >>> import numpy as np
    >>> jvp(lambda x: x**2, np.asarray([1.0, 2.0]), np.asarray([1.0, 10.0]))
    (array([1., 4.]), array([ 2., 40.]))
    """
    points, along = (args, tangents) if isinstance(args, tuple) else ((args,), (tangents,))
    out, pull = vjp(function, *points)
    if isinstance(out, tuple):
        raise AutodiffError("jvp needs a function that returns one array, got a tuple")
    _, push = _vjp("jvp", "tangent", pull, (namespace_of(out).zeros_like(out),))
    return out, push(along)[0]


def _tensors(who: str, results: Sequence[Any]) -> list[Tensor]:
    for result in results:
        if not isinstance(result, Tensor):
            what = (
                "one array that depends on its arguments"
                if who == "jacobian"
                else "arrays that depend on its arguments"
            )
            raise AutodiffError(f"{who} needs a function that returns {what}, got {described(result)}")
    return list(results)


def _unit_seeds(value: Tensor) -> list[Any]:
    xp = namespace_of(value.data)
    units = xp.eye(value.size, dtype=value.dtype, device=value.device)
    return [xp.reshape(units[i, ...], value.shape) for i in range(value.size)]


def _stacked(rows: Sequence[Any], value: Tensor, target: Tensor) -> Any:
    from twingrad import xp

    shape = (*value.shape, *target.shape)
    if not rows:
        return namespace_of(target.data).zeros(shape, dtype=target.dtype, device=target.device)
    return xp.reshape(xp.stack(rows), shape)
