"""Creation functions: from nothing they make Tensors, like a plain array they make a plain array."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from twingrad.autodiff.tensor import Tensor
from twingrad.namespace import namespace_of


def _create(name: str, signature: Callable[..., Any]) -> Callable[..., Tensor]:
    @functools.wraps(signature)
    def function(*args: Any, dtype: Any = None, device: Any = None, **kwargs: Any) -> Tensor:
        from twingrad import backends, devices

        backend = backends.get(devices.resolve(device))
        if any([isinstance(a, Tensor) for a in args]):
            raise TypeError(
                f"xp.{name} takes Python numbers, got a Tensor, which would leave the tape; see broadcast_to"
            )
        # asarray moves what CuPy makes on its current GPU to the one asked for.
        return Tensor(backend.asarray(getattr(backend.namespace(), name)(*args, dtype=dtype, **kwargs)))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"The array API's `{name}`: a Tensor on `device`, by default the one in use."
    return function


def _create_like(name: str, signature: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(signature)
    def function(x: Any, /, *args: Any, **kwargs: Any) -> Any:
        plain = x.data if isinstance(x, Tensor) else x
        out = getattr(namespace_of(plain), name)(plain, *args, **kwargs)
        return Tensor(out) if isinstance(x, Tensor) else out

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"The array API's `{name}`: an array of the kind and on the device of x."
    return function


def asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Tensor:
    """`obj` (an array, a number, nested sequences) as a Tensor; on `device` where one is given.

    A Tensor stays on the tape: casting and moving it are recorded, and so is joining a sequence that holds Tensors.
    """
    from twingrad import backends, devices
    from twingrad.xp.manipulation import astype, stack, to_device

    if _holds_tensors(obj):
        obj, copy = stack([asarray(part) for part in obj]), None
    tensor = obj if isinstance(obj, Tensor) else None
    if tensor is None:
        where = devices.resolve(device) if device is not None or not hasattr(obj, "dtype") else None
        if where is None:
            tensor = Tensor(namespace_of(obj).asarray(obj, dtype=dtype, copy=copy))
        else:
            tensor = Tensor(backends.get(where).asarray(obj, dtype=dtype))
    if device is not None:
        tensor = to_device(tensor, device)
    if tensor is obj and copy:
        return astype(tensor, tensor.dtype if dtype is None else dtype)  # type: ignore[no-any-return]
    if dtype is not None and tensor.dtype != dtype:
        tensor = astype(tensor, dtype)
    return tensor


def _holds_tensors(obj: Any) -> bool:
    return isinstance(obj, list | tuple) and any([isinstance(o, Tensor) or _holds_tensors(o) for o in obj])


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """The array that x exports by DLPack as a Tensor, off the tape; on `device` where one is given."""
    from twingrad import backends, devices

    plain = x.data if isinstance(x, Tensor) else x
    kind = "cpu" if plain.__dlpack_device__()[0] == 1 else "cuda"
    found = backends.get(kind).namespace().from_dlpack(plain, copy=copy)
    return Tensor(found if device is None else backends.get(devices.resolve(device)).asarray(found))


zeros = _create("zeros", lambda shape, *, dtype=None, device=None: None)
ones = _create("ones", lambda shape, *, dtype=None, device=None: None)
full = _create("full", lambda shape, fill_value, *, dtype=None, device=None: None)
empty = _create("empty", lambda shape, *, dtype=None, device=None: None)
arange = _create("arange", lambda start, /, stop=None, step=1, *, dtype=None, device=None: None)
linspace = _create("linspace", lambda start, stop, /, num, *, dtype=None, device=None, endpoint=True: None)
eye = _create("eye", lambda n_rows, n_cols=None, /, *, k=0, dtype=None, device=None: None)
zeros_like = _create_like("zeros_like", lambda x, /, *, dtype=None, device=None: None)
ones_like = _create_like("ones_like", lambda x, /, *, dtype=None, device=None: None)
full_like = _create_like("full_like", lambda x, /, fill_value, *, dtype=None, device=None: None)
empty_like = _create_like("empty_like", lambda x, /, *, dtype=None, device=None: None)
