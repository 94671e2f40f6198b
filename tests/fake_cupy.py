"""A stand-in for CuPy that keeps its arrays on the host, so that the code of the CUDA path runs without a GPU.

It is as strict as CuPy where the two differ from NumPy: no implicit conversion to a NumPy array, no NumPy array among
its own in any operation, no array of a GPU that is not current, and arrays, never scalars, as the results of reductions
and indexing. It says nothing of what a GPU computes: `cuda_on_host` runs the kernels' sources, and only the tests
marked `gpu` run them where they belong.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import operator
import tracemalloc
import types
from typing import Any, ClassVar

import numpy as np

import fake_memory
import fake_streams

BINARY = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lshift", "rshift")
COMPARE = ("lt", "le", "gt", "ge", "eq", "ne")
UNARY = ("neg", "pos", "abs", "invert")
METHODS = ("astype", "sum", "max", "min", "mean", "any", "all", "ravel", "copy", "transpose", "squeeze", "argmax")
ATTRIBUTES = ("dtype", "size", "ndim", "flags", "itemsize", "nbytes", "strides")
VIEWS = ("reshape", "ravel", "transpose", "permute_dims", "matrix_transpose", "squeeze", "expand_dims", "broadcast_to")
"""What launches no kernel, so that CuPy does not ask on which GPU."""
TAKES_HOST_ARRAYS = ("asarray", "array", "ascontiguousarray")


class FakeDevice(contextlib.AbstractContextManager):
    """`cupy.cuda.Device`: a number, and a context that makes it current."""

    current: ClassVar = [0]
    mem_info = (3, 4)
    compute_capability = "90"
    attributes: ClassVar = {"MultiProcessorCount": 2}

    def __init__(self, index: int | FakeDevice | None = None) -> None:
        self.id: int = self.current[-1] if index is None else getattr(index, "id", index)

    def __enter__(self) -> FakeDevice:
        self.current.append(self.id)
        return self

    def __exit__(self, *error: object) -> None:
        self.current.pop()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FakeDevice) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def synchronize(self) -> None:
        fake_streams.forbid("cudaDeviceSynchronize")


class ndarray:
    """`cupy.ndarray`, around a NumPy array."""

    def __init__(self, host: Any, gpu: int | None = None) -> None:
        self.host = np.asarray(host)
        self.gpu = FakeDevice.current[-1] if gpu is None else gpu

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Use `.get()` to construct one.")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return _call(getattr(ufunc, method), inputs, kwargs)

    def __getitem__(self, key: Any) -> ndarray:
        return ndarray(self.host[_bare(key)], self.gpu)

    def __setitem__(self, key: Any, value: Any) -> None:
        fake_streams.forbid("an operation of CuPy that may allocate")
        self.host[_bare(key)] = _bare(_checked(value))

    def __len__(self) -> int:
        return len(self.host)

    def __bool__(self) -> bool:
        fake_streams.forbid("cudaMemcpy to the host")
        return bool(self.host)

    def __int__(self) -> int:
        fake_streams.forbid("cudaMemcpy to the host")
        return int(self.host)

    def __float__(self) -> float:
        fake_streams.forbid("cudaMemcpy to the host")
        return float(self.host)

    __index__ = __int__
    __hash__ = None  # type: ignore[assignment]

    @property
    def device(self) -> FakeDevice:
        return FakeDevice(self.gpu)

    @property
    def data(self) -> Any:
        memory = types.SimpleNamespace(ptr=fake_memory.owner(self.host))
        return types.SimpleNamespace(ptr=self.host.ctypes.data, mem=memory)

    @property
    def T(self) -> ndarray:
        return ndarray(self.host.T, self.gpu)

    def reshape(self, *shape: Any, order: str = "C") -> ndarray:
        return ndarray(self.host.reshape(*shape, order=order), self.gpu)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.host.shape

    @shape.setter
    def shape(self, shape: tuple[int, ...]) -> None:
        reshaped = self.host.reshape(shape)
        if not np.may_share_memory(reshaped, self.host):
            raise AttributeError("incompatible shape")
        self.host = reshaped

    def view(self, dtype: Any = None) -> ndarray:
        return ndarray(self.host.view() if dtype is None else self.host.view(dtype), self.gpu)

    def fill(self, value: Any) -> None:
        fake_streams.queue(lambda: self.host.fill(value))

    def get(self) -> np.ndarray:
        fake_streams.forbid("cudaMemcpy to the host")
        return self.host.copy()

    def set(self, array: np.ndarray, stream: Any = None) -> None:
        fake_streams.forbid("cudaMemcpy to the device")
        if array.dtype != self.dtype or array.shape != self.shape:
            raise TypeError(f"{array.dtype} {array.shape} set to {self.dtype} {self.shape}")
        copy = functools.partial(np.copyto, self.host, array)
        copy() if stream is None else stream.put(copy)

    def item(self) -> Any:
        fake_streams.forbid("cudaMemcpy to the host")
        return self.host.item()

    def tolist(self) -> Any:
        return self.host.tolist()


def _bare(value: Any) -> Any:
    """`value` with the NumPy arrays inside our own."""
    if isinstance(value, ndarray):
        return value.host
    if isinstance(value, tuple | list):
        return type(value)(_bare(item) for item in value) if type(value) in (tuple, list) else value
    return value


def _checked(value: Any) -> Any:
    """`value`, unless it is a NumPy array, which CuPy refuses."""
    if isinstance(value, tuple | list):
        for item in value:
            _checked(item)
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    return value


def _call(function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    _checked(list(args))
    _checked(list(kwargs.values()))
    fake_streams.forbid("an operation of CuPy that allocates")
    gpus = [a.gpu for a in (*args, *kwargs.values()) if isinstance(a, ndarray)]
    for gpu in gpus:
        if gpu != FakeDevice.current[-1] and getattr(function, "__name__", "") not in VIEWS:
            raise ValueError(
                f"The device where the array resides ({gpu}) is different from the current device "
                f"({FakeDevice.current[-1]}). Peer access is unavailable between these devices."
            )
    found = function(*_bare(tuple(args)), **{key: _bare(value) for key, value in kwargs.items()})
    return _wrapped(found, gpus[0] if gpus else None)


def _wrapped(found: Any, gpu: int | None) -> Any:
    if isinstance(found, np.ndarray | np.generic):
        return ndarray(found, gpu)
    if type(found) in (tuple, list):
        return type(found)(_wrapped(item, gpu) for item in found)
    return found


def _function(function: Any) -> Any:
    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return _call(function, args, kwargs)

    return wrapped


def _maker(function: Any) -> Any:
    def wrapped(a: Any, dtype: Any = None, **kwargs: Any) -> ndarray:
        same = isinstance(a, ndarray) and dtype in (None, a.dtype) and a.gpu == FakeDevice.current[-1]
        if same and (function is np.asarray or (function is np.ascontiguousarray and a.flags.c_contiguous)):
            return a
        fake_streams.forbid("cudaMalloc")
        made = function(_bare(a), dtype=dtype, **kwargs)
        if isinstance(a, np.ndarray) and np.may_share_memory(made, a):
            made = made.copy(order="K")  # CuPy's memory is another
        return ndarray(made)

    return wrapped


def _operator(name: str, swapped: bool = False) -> Any:
    function = getattr(operator, f"{name}_" if name in ("and", "or") else name)

    def method(self: ndarray, *other: Any) -> Any:
        if other and not isinstance(other[0], ndarray | np.ndarray | np.generic | int | float | complex):
            return NotImplemented
        return _call(function, (*other, self) if swapped else (self, *other), {})

    return method


def _in_place(name: str) -> Any:
    def method(self: ndarray, other: Any) -> ndarray:
        self.host = getattr(operator, f"i{name}")(self.host, _bare(_checked(other)))
        return self

    return method


for _name in (*BINARY, *COMPARE, *UNARY):
    setattr(ndarray, f"__{_name}__", _operator(_name))
for _name in BINARY:
    setattr(ndarray, f"__r{_name}__", _operator(_name, swapped=True))
    setattr(ndarray, f"__i{_name}__", _in_place(_name))
for _name in METHODS:
    setattr(ndarray, _name, _function(getattr(np.ndarray, _name)))
for _name in ATTRIBUTES:
    setattr(ndarray, _name, property(operator.attrgetter(f"host.{_name}")))
ndarray.__module__ = "cupy"


def _zeros(shape: Any, dtype: Any = float) -> ndarray:
    found = ndarray(fake_memory.allocated(shape, dtype))
    found.host[...] = 0
    return found


def _used_bytes() -> int:
    """What the host has allocated since this was asked first."""
    if not tracemalloc.is_tracing():
        tracemalloc.start()
    return tracemalloc.get_traced_memory()[0]


def modules(cupy: Any) -> dict[str, Any]:
    """What `sys.modules` holds where this stands for CuPy."""
    cupy.cuda.device = types.SimpleNamespace(Device=cupy.cuda.Device)
    parts = {"linalg": cupy.linalg, "fft": cupy.fft, "cuda": cupy.cuda, "cuda.device": cupy.cuda.device}
    parts["cuda.cublas"] = cupy.cuda.cublas
    return {"cupy": cupy, **{f"cupy.{name}": part for name, part in parts.items()}}


def nvmath(binding: Any) -> dict[str, Any]:
    """What `sys.modules` holds where `binding` stands for `nvmath.bindings.cublasLt`; where it is None, no nvmath."""
    bindings: Any = types.ModuleType("nvmath.bindings")
    bindings.cublasLt = binding
    package: Any = binding and types.ModuleType("nvmath")
    return {"nvmath": package, "nvmath.bindings": binding and bindings, "nvmath.bindings.cublasLt": binding}


def _fill(module: types.ModuleType, source: Any) -> types.ModuleType:
    """The public names of a NumPy module, functions wrapped."""
    for name in dir(source):
        value = getattr(source, name)
        if name.startswith("_") or isinstance(value, types.ModuleType):
            continue
        plain = isinstance(value, type) or not callable(value)
        setattr(module, name, value if plain else _function(value))
    return module


def gemm(*call: Any) -> None:
    """`cupy.cuda.cublas.gemmEx`: C = alpha op(A) op(B) + beta C down columns, in place; TF32 rounds the factors."""
    if fake_streams.capturing() is not None:
        raise NotImplementedError("calling cuBLAS API during stream capture is currently unsupported")
    _, transa, transb, m, n, k, alpha, a, a_type, lda, b, b_type, ldb, beta, c, c_type, ldc, compute, _ = call
    assert (a_type, c_type, compute) in GEMMS, "cuBLAS refuses these types"
    assert a_type == b_type
    assert lda >= max(1, k if transa else m)
    assert ldb >= max(1, n if transb else k)
    assert ldc >= max(1, m)
    number = ctypes.c_double if compute == 70 else ctypes.c_float
    scale, held = (number.from_address(address).value for address in (alpha, beta))
    left, right = (
        _down_columns(*given) for given in ((a, a_type, lda, m if transa else k), (b, b_type, ldb, k if transb else n))
    )
    out = _down_columns(c, c_type, ldc, n)[:m]
    wide = [x.astype(np.float64 if compute == 70 else np.float32) for x in (left, right)]
    if compute == 77:
        wide = [_tf32(x) for x in wide]
    left, right = (x.T if flag else x for x, flag in zip(wide, (transa, transb), strict=True))
    product = scale * (left[:m, :k] @ right[:k, :n])
    out[...] = product if held == 0.0 else product + held * out.astype(product.dtype)


def _down_columns(address: int, kind: int, rows: int, columns: int) -> np.ndarray:
    """The matrix (rows, columns) at an address, stored column after column."""
    dtype = np.dtype({0: "float32", 1: "float64"}.get(kind) or importlib.import_module("ml_dtypes").bfloat16)
    room = (ctypes.c_uint8 * (rows * columns * dtype.itemsize)).from_address(address)
    return np.frombuffer(room, dtype).reshape(columns, rows).T


def _tf32(x: np.ndarray) -> np.ndarray:
    """`x` rounded to 10 bits of mantissa."""
    return ((x.view(np.uint32) + np.uint32(0x1000)) & np.uint32(0xFFFFE000)).view(np.float32)


GEMMS = {(0, 0, 68), (0, 0, 77), (1, 1, 70), (14, 14, 68), (14, 0, 68)}
"""Types of factors, result and computation that are asked of cuBLAS: float32, also as TF32; float64; bfloat16, with
either result.
"""


def make(
    count: int = 1,
    *,
    driver_error: str | None = None,
    kernel_error: Exception | None = None,
    driver: int = 13000,
    runtime: int = 13000,
) -> Any:
    """A module named cupy of CUDA `runtime` with `count` GPUs, whose driver, for CUDA up to `driver`, or whose kernels
    fail.
    """
    cupy: Any = _fill(types.ModuleType("cupy"), np)
    arange = cupy.arange

    def get_device_count() -> int:
        if driver_error:
            raise RuntimeError(driver_error)
        return count

    def launched(*args: Any, **kwargs: Any) -> Any:
        cupy.launches += 1
        if kernel_error:
            raise kernel_error
        return arange(*args, **kwargs)

    cupy.__version__ = "14.0.0"
    cupy.launches = 0
    cupy.ndarray = ndarray
    cupy.arange = launched
    cupy.zeros = _zeros
    cupy.empty = lambda shape, dtype=float: ndarray(fake_memory.allocated(shape, dtype))
    for name in TAKES_HOST_ARRAYS:
        setattr(cupy, name, _maker(getattr(np, name)))
    cupy.linalg = _fill(types.ModuleType("cupy.linalg"), np.linalg)
    cupy.fft = _fill(types.ModuleType("cupy.fft"), np.fft)
    properties = {"name": b"a host in disguise", "major": 9, "minor": 0, "totalGlobalMem": 4}
    cupy.cuda = types.SimpleNamespace(
        Device=FakeDevice,
        cublas=types.SimpleNamespace(gemmEx=gemm),
        get_cublas_handle=lambda: 0,
        MemoryPool=fake_memory.MemoryPool,
        using_allocator=fake_memory.using_allocator,
        is_available=lambda: driver_error is None and count > 0,
        runtime=types.SimpleNamespace(
            getDeviceCount=get_device_count,
            getDeviceProperties=lambda index: properties,
            driverGetVersion=lambda: driver,
            runtimeGetVersion=lambda: runtime,
        ),
    )
    pool = types.SimpleNamespace(free_bytes=lambda: 0, total_bytes=lambda: 0, used_bytes=_used_bytes)
    cupy.get_default_memory_pool = lambda: pool
    fake_streams.install(cupy, fake_streams.World())
    return cupy
