"""Functions that are no single rule: the library's own with plain arrays, and on the tape made of others that record.

Also the functions through which no gradient flows but whose arguments or results are not single arrays.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np

from twingrad.autodiff.tape import is_complex, is_recording
from twingrad.autodiff.tensor import Tensor, made, record
from twingrad.errors import AutodiffError
from twingrad.namespace import Array, dtype_in, namespace_of
from twingrad.recording import refuse_while_recording
from twingrad.xp.complaints import complaint
from twingrad.xp.primitive import UNBOUND
from twingrad.xp.pulling import no_complex_gradients

compositions: set[str] = set()
"""The differentiable functions that have no rule of their own; the documentation walks it."""

Function = TypeVar("Function", bound=Callable[..., Any])


def conforming(*arrays: Array) -> Any:
    """The namespace of `arrays`, NumPy's as array-api-compat completes it: `descending` in sort, and the like."""
    namespace = namespace_of(*arrays)
    return _completed_numpy() if namespace is np else namespace


@functools.cache
def _completed_numpy() -> Any:
    import array_api_compat.numpy

    return array_api_compat.numpy


def library(path: str) -> Callable[..., Any]:
    """The function `path`, such as "linalg.inv", of the library of its plain arrays, the first argument among them.

    Raises TypeError for arrays of two libraries, which one of them might convert unasked.
    """

    within = functools.cache(lambda namespace: functools.reduce(getattr, path.split("."), namespace))

    def function(*args: Any, **kwargs: Any) -> Any:
        others = (*args[1:], *kwargs.values())
        if type(args[0]) is np.ndarray and _OF_NUMPY.issuperset(map(type, others)):
            return within(_completed_numpy())(*args, **kwargs)
        others = tuple(filter(_is_array, others))
        try:
            namespace = conforming(args[0], *others)
        except TypeError as error:
            raise complaint(path, (args[0], *others), error) from error
        if "dtype" in kwargs:
            kwargs["dtype"] = dtype_in(namespace, kwargs["dtype"])
        return within(namespace)(*args, **kwargs)

    return function


_OF_NUMPY = frozenset({np.ndarray, bool, int, float, complex, str, tuple, list, type(None)})
"""The types of arguments beside a NumPy array that are no array of another library."""


def _is_array(value: Any) -> bool:
    """Whether `value` follows the standard; NumPy's dtypes are classes that have its attributes."""
    return hasattr(value, "__array_namespace__") and not isinstance(value, type)


def composed(path: str, *, views: bool = False) -> Callable[[Function], Function]:
    """Decorate what the tape records for the function `path`; where nothing records, the library computes.

    views: the results may share memory with the arguments, so that Tensors always take the composition, which tells.
    """

    def decorate(function: Function) -> Function:
        compositions.add(path)
        return _dispatching(path, function, function, always=views)  # type: ignore[return-value]

    return decorate


def unrecorded(path: str, signature: Callable[..., Any]) -> Callable[..., Any]:
    """The function `path` where no gradient flows: Tensors in, unrecorded Tensors out, in tuples as the library's.

    signature: a function with the parameters of the standard's.
    """
    function = _dispatching(path, signature, None, differentiable=False)
    return _named(path, function, "on plain arrays and on Tensors, which do not record it.")


def through_complex(path: str, signature: Callable[..., Any]) -> Callable[..., Any]:
    """The function `path`, which takes or gives complex numbers: it is computed, and a backward pass through it raises.

    signature: as that of `unrecorded`.
    """
    function = _dispatching(path, signature, None)
    return _named(path, function, "on plain arrays and on Tensors; it has no gradient, which says an AutodiffError.")


def _named(path: str, function: Callable[..., Any], how: str) -> Callable[..., Any]:
    function.__name__ = function.__qualname__ = path.rpartition(".")[2]
    function.__doc__ = f"The array API's `{path}`, {how}"
    return function


def _dispatching(
    path: str,
    signature: Callable[..., Any],
    recorded: Callable[..., Any] | None,
    *,
    differentiable: bool = True,
    always: bool = False,
) -> Callable[..., Any]:
    plain = library(path)

    @functools.wraps(signature)
    def function(*args: Any, **kwargs: Any) -> Any:
        tensors = _tensors(args) + _tensors(kwargs.values()) if kwargs else _tensors(args)
        if not tensors:
            return plain(*args, **kwargs)
        refuse_while_recording(f"xp.{path}", UNBOUND)
        recording = differentiable and is_recording(tensors)
        if recorded is not None and (always or (recording and not any(is_complex(t) for t in tensors))):
            return recorded(*args, **kwargs)
        given = tuple(map(bare, args))
        try:
            out = plain(*given, **{name: bare(value) for name, value in kwargs.items()})
        except Exception as error:
            raise complaint(path, given, error) from error
        return _refused(path, wrapped(out), tuple(tensors)) if recording else wrapped(out)

    return function


def bare(value: Any) -> Any:
    """`value` without its Tensors: their arrays, in lists and tuples too."""
    if isinstance(value, Tensor):
        return value.data
    return type(value)(map(bare, value)) if type(value) in (list, tuple) else value


def wrapped(out: Any) -> Any:
    """The arrays of a result as Tensors off the tape."""
    if isinstance(out, tuple | list):
        return getattr(type(out), "_make", type(out))(map(wrapped, out))
    return made(out) if hasattr(out, "shape") else out


def _refused(path: str, out: Any, inputs: tuple[Any, ...]) -> Any:
    """The results on the tape, with a backward pass that says that there is none."""

    def backward(grad: Any, into: tuple[Any, ...]) -> Any:
        raise AutodiffError(no_complex_gradients(path))

    if isinstance(out, Tensor):
        floating = conforming(out.data).isdtype(out.dtype, ("real floating", "complex floating"))
        return record(path, out.data, inputs, backward) if floating else out
    return getattr(type(out), "_make", type(out))([_refused(path, part, inputs) for part in out])


def _tensors(values: Iterable[Any]) -> list[Tensor]:
    found = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif type(value) in (list, tuple):
            found += _tensors(value)
    return found
