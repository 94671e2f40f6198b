"""Creation functions: from nothing they make Tensors, like a plain array they make a plain array."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from twingrad.autodiff.tensor import Tensor
from twingrad.namespace import dtype_in, library_of, namespace_of


def place(device: Any) -> Any:
    """The device to resolve: CuPy's own object, which `x.device` gives, by its name."""
    cupys = type(device).__module__.partition(".")[0] == "cupy"
    return f"cuda:{int(device.id)}" if cupys else device


def _create(name: str, signature: Callable[..., Any]) -> Callable[..., Tensor]:
    @functools.wraps(signature)
    def function(*args: Any, dtype: Any = None, device: Any = None, **kwargs: Any) -> Tensor:
        from twingrad import backends

        if any([isinstance(a, Tensor) for a in args]):
            raise TypeError(
                f"xp.{name} takes Python numbers, got a Tensor, which would leave the tape; see broadcast_to"
            )
        library = library_of(device, dtype)
        if library is not None:
            return Tensor(getattr(library, name)(*args, dtype=dtype_in(library, dtype), device=device, **kwargs))
        backend = backends.get(place(device))
        # asarray moves what CuPy makes on its current GPU to the one asked for.
        return Tensor(backend.asarray(getattr(backend.namespace(), name)(*args, dtype=dtype, **kwargs)))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"The array API's `{name}`: a Tensor on `device`, by default the one in use; a device or dtype of another "
        "library makes an array of that one."
    )
    return function


def _create_like(name: str, signature: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(signature)
    def function(x: Any, /, *args: Any, dtype: Any = None, device: Any = None, **kwargs: Any) -> Any:
        from twingrad.xp.manipulation import plain_to_device

        plain = x.data if isinstance(x, Tensor) else x
        namespace = namespace_of(plain)
        out = getattr(namespace, name)(plain, *args, dtype=dtype_in(namespace, dtype), **kwargs)
        out = out if device is None else plain_to_device(out, device)
        return Tensor(out) if isinstance(x, Tensor) else out

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"The array API's `{name}`: an array of the kind of x, on its device unless another is given."
    return function


def asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Tensor:
    """`obj` (an array, a number, nested sequences) as a Tensor; on `device` where one is given.

    A Tensor stays on the tape: casting and moving it are recorded, and so is joining a sequence that holds Tensors.
    copy: True always copies, False raises ValueError where a copy would be needed, None copies where it is.
    """
    from twingrad.xp.manipulation import astype, stack, to_device

    if _holds_tensors(obj):
        return asarray(stack([asarray(part) for part in obj]), dtype=dtype, device=device)
    if not isinstance(obj, Tensor):
        obj = Tensor(_plain_asarray(obj, dtype, device, copy))
        copy = None if copy else copy
    dtype = dtype_in(namespace_of(obj.data), dtype)
    tensor = obj if device is None else to_device(obj, device)
    if dtype is not None and tensor.dtype != dtype:
        tensor = astype(tensor, dtype)
    if copy is False and tensor.data is not obj.data:
        raise ValueError("xp.asarray: a copy is needed to cast or move the tensor, and copy=False forbids it")
    return astype(tensor, tensor.dtype) if copy and tensor is obj else tensor  # type: ignore[no-any-return]


def _plain_asarray(obj: Any, dtype: Any, device: Any, copy: bool | None) -> Any:
    from twingrad import backends

    library = library_of(device, dtype)
    if library is not None:
        return library.asarray(obj, dtype=dtype_in(library, dtype), device=device, copy=copy)
    if hasattr(obj, "dtype"):
        namespace = namespace_of(obj)
        return namespace.asarray(obj, dtype=dtype_in(namespace, dtype), copy=copy)
    if copy is False:
        raise ValueError("xp.asarray: Python's numbers and sequences have to be copied, and copy=False forbids it")
    return backends.get(place(device)).asarray(obj, dtype=dtype)


def _holds_tensors(obj: Any) -> bool:
    return isinstance(obj, list | tuple) and any([isinstance(o, Tensor) or _holds_tensors(o) for o in obj])


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """The array that x exports by DLPack as a Tensor, off the tape; on `device` where one is given."""
    from twingrad import backends
    from twingrad.xp.manipulation import plain_to_device

    plain = x.data if isinstance(x, Tensor) else x
    kind = "cpu" if plain.__dlpack_device__()[0] == 1 else "cuda"
    found = backends.get(kind).namespace().from_dlpack(plain, copy=copy)
    placed = found if device is None else plain_to_device(found, device)
    tensor = Tensor(placed)
    if isinstance(x, Tensor) and placed is found and not copy:
        tensor.memory = x.shared_memory()
    return tensor


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
