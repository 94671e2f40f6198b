"""Ask the array: which namespace computes with it, and which backend's kernels can.

Array libraries are told by the type of the array, once for each type: no library is imported here that the caller
has not imported already.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import numpy as np

from twingrad.devices import device_of
from twingrad.errors import DeviceError

Array = Any
"""An array of any library that follows the array API standard, or a `Tensor`."""

NUMPY_OPERANDS = frozenset({np.ndarray, bool, int, float, complex, *np.sctypeDict.values()})
"""The types that a ufunc of NumPy takes as they are; subclasses of them are asked for their namespace."""

_NUMPY_TYPES = (np.ndarray, np.generic)
_namespaces: dict[type, Any] = {np.ndarray: np}
_backends: dict[type, str | None] = {np.ndarray: "cpu"}
_tensor_namespace: Any = None


def namespace_of(*arrays: Array) -> Any:
    """The array API namespace of `arrays`: `twingrad.xp` where any of them is a `Tensor`, else that of the first array.

    Python scalars and None are passed over. Raises TypeError where no argument is an array, or where arrays of two
    libraries are mixed, and DeviceError where CuPy's arrays are on two GPUs.

    >>> namespace_of(np.ones(2), 3.0).__name__
    'numpy'
    """
    found = first = None
    for array in arrays:
        kind = type(array)
        namespace = _namespaces.get(kind)
        if namespace is None:
            if array is None or (isinstance(array, int | float | complex) and not isinstance(array, np.generic)):
                continue
            namespace = _look_up(array)
        if namespace is found:
            if namespace is not np and backend_of(array) == "cuda":
                check_one_gpu(first, array)
            continue
        if found is None or namespace is _tensor_namespace:
            found, first = namespace, array
        elif found is not _tensor_namespace:
            raise TypeError(f"arrays of two libraries in one operation: {found.__name__} and {namespace.__name__}")
    if found is None:
        raise TypeError(f"expected an array, got {', '.join(type(a).__name__ for a in arrays) or 'nothing'}")
    return found


def library_of(*given: Any) -> Any:
    """The namespace of the library whose dtype or device is among `given`; None for Python's, NumPy's and CuPy's, and
    for names.

    >>> library_of(np.float32, np.dtype("int8"), "cpu", None) is None
    True
    """
    for each in given:
        name = type(each).__module__.partition(".")[0]
        if name == "torch":
            import array_api_compat.torch

            return array_api_compat.torch
        if name not in ("builtins", "numpy", "cupy", "twingrad"):
            return sys.modules[name]
    return None


def dtype_in(namespace: Any, dtype: Any) -> Any:
    """The dtype of `namespace` that has the name of NumPy's `dtype`, such as `twingrad.xp.float32`; others as they are.

    >>> import array_api_strict
    >>> dtype_in(array_api_strict, np.float32)
    array_api_strict.float32
    """
    if namespace is np or dtype is None:
        return dtype
    try:
        return getattr(namespace, np.dtype(dtype).name, dtype)
    except TypeError:
        return dtype


def backend_of(array: Array) -> str | None:
    """The backend whose kernels take `array`: "cpu" for NumPy's, "cuda" for CuPy's, None for any other.

    >>> backend_of(np.ones(2))
    'cpu'
    """
    kind = type(array)
    try:
        return _backends[kind]
    except KeyError:
        backend = _backends[kind] = {"numpy": "cpu", "cupy": "cuda"}.get(kind.__module__.partition(".")[0])
        return backend


def check_one_gpu(*arrays: Any, name: str = "") -> None:
    """Raise DeviceError where CuPy's arrays among `arrays` are on two GPUs: CuPy refuses them only where one GPU cannot
    reach the other's memory, and else reads slowly through it and answers on whichever is current.
    """
    devices = dict.fromkeys(device_of(array) for array in arrays if backend_of(array) == "cuda")
    if len(devices) > 1:
        raise DeviceError(f"{name}{': ' * bool(name)}{two_devices(devices)}")


def two_devices(devices: Iterable[str]) -> str:
    """What is said of arrays of these devices in one operation."""
    return (
        f"arrays of two devices in one operation: {' and '.join(devices)}; move one with x.to_device, a model's with "
        "model.to"
    )


def is_bfloat16(dtype: Any) -> bool:
    """Whether `dtype` is that of the package ml_dtypes, of which the array API knows nothing."""
    library = sys.modules.get("ml_dtypes")
    return library is not None and isinstance(dtype, np.dtype) and dtype == library.bfloat16


def real_floating(array: Array) -> bool:
    """Whether the elements of `array` are real floating numbers, bfloat16 among them; TypeError for no array."""
    namespace = namespace_of(array)
    return is_bfloat16(array.dtype) or bool(namespace.isdtype(array.dtype, "real floating"))


def register_tensor(kind: type, namespace: Any) -> None:
    """Make `namespace` the one that computes with arrays of type `kind` and wins over plain arrays beside them."""
    global _tensor_namespace
    _tensor_namespace = namespace
    _namespaces[kind] = namespace


def _look_up(array: Array) -> Any:
    kind = type(array)
    for base in kind.__mro__:
        if base in _namespaces:
            _namespaces[kind] = _namespaces[base]
            return _namespaces[kind]
    if isinstance(array, _NUMPY_TYPES):
        namespace: Any = np
    elif kind.__module__.partition(".")[0] in ("cupy", "torch"):
        import array_api_compat

        namespace = array_api_compat.array_namespace(array)
    elif hasattr(array, "__array_namespace__"):
        namespace = array.__array_namespace__()
    else:
        raise TypeError(
            f"expected an array that follows the array API standard, got {kind.__name__}; "
            "numpy.asarray makes one of lists and numbers"
        )
    _namespaces[kind] = namespace
    return namespace
