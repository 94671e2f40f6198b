"""`Tensor`: an array that remembers how it was computed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from twingrad.autodiff import tape
from twingrad.errors import AutodiffError
from twingrad.namespace import namespace_of
from twingrad.recording import refuse_while_recording

xp: Any = None
"""The namespace `twingrad.xp`, which sets itself here when it is imported: the operators below are its functions."""


class Tensor(tape.OnTape):
    """An array of NumPy, CuPy or another library, with a place for its gradient.

    A Tensor is itself an array API object: its namespace is `twingrad.xp`, whose functions record on the tape.

    data: the array that it wraps; not copied.
    requires_grad: compute the gradient with respect to this tensor; floating dtypes only (else TypeError).

    >>> x = Tensor(np.asarray([1.0, 2.0]), requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    array([2., 4.])
    """

    __slots__ = ("__weakref__", "_grad", "data", "node", "requires_grad", "writes")
    __array_ufunc__ = None
    __hash__ = object.__hash__

    def __init__(self, data: Any, *, requires_grad: bool = False) -> None:
        if isinstance(data, Tensor):
            raise TypeError("Tensor wraps an array, got a Tensor; use t.detach() for one that is off the tape")
        if isinstance(data, np.generic):
            data = np.asarray(data)
        if data is not None and type(data) is not np.ndarray:
            namespace_of(data)  # raises for what is not an array
        self.data = data
        self.requires_grad = False
        self.node: tape.Node | None = None
        self.writes = [0]  # how often the memory was written in place; views share it
        self._grad: Any = None
        if requires_grad:
            if not namespace_of(data).isdtype(data.dtype, "real floating"):
                raise TypeError(f"requires_grad needs a real floating dtype, got {data.dtype}; cast it first")
            self.requires_grad = True

    # -- the gradient -------------------------------------------------------------------------------------------------

    @property
    def grad(self) -> Any:
        """The gradient that `backward` left here, an array of this shape and dtype, or None."""
        return self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        self._grad = value

    @property
    def version(self) -> int:
        """How often the data were overwritten in place: a backward pass refuses to use what has changed."""
        return self.writes[0]

    def backward(self, seed: Any = None) -> None:
        """Add the gradient of this tensor to `.grad` of every leaf that requires one, and free the tape.

        seed: the cotangent, of this shape; may be left out for a scalar (then 1).
        """
        tape.backward(self, seed)

    def grad_destination(self) -> tape.Destination:
        """Where a backward pass should write this leaf's gradient: anywhere, for a plain tensor."""
        return tape.FRESH

    def receive_grad(self, gradient: Any, destination: tape.Destination) -> None:
        """Take one contribution to this leaf's gradient, which a kernel may have written to `destination` already."""
        refuse_while_recording(
            "a gradient of a tensor outside all modules", "a replay would overwrite it, not add to it"
        )
        xp = namespace_of(self.data)
        if self._grad is None:  # a copy: rules give views, and one array to several leaves
            self._grad = xp.asarray(gradient, copy=True)
        else:
            self._grad = xp.asarray(self._grad + gradient)

    def detach(self) -> Tensor:
        """The same data, off the tape."""
        tensor = Tensor(self.data)
        tensor.writes = self.writes
        return tensor

    # -- leaving the tape ---------------------------------------------------------------------------------------------

    def numpy(self) -> np.ndarray[Any, Any]:
        """A read-only NumPy view of the data; data of another device are copied to the host."""
        refuse_while_recording("Tensor.numpy()", "it reads a value that changes from replay to replay")
        if isinstance(self.data, np.ndarray):
            view = self.data.view()
        else:
            from twingrad import backends, devices

            view = backends.get(devices.device_of(self.data)).to_numpy(self.data).view()
        view.flags.writeable = False
        return view

    def item(self) -> Any:
        """The one element as a Python number."""
        refuse_while_recording("Tensor.item()", "it reads a value that changes from replay to replay")
        if self.size != 1:
            raise ValueError(f"item() needs a tensor of one element, got shape {self.shape}")
        kind = self.data.dtype
        namespace = namespace_of(self.data)
        scalar = self.data.reshape(()) if hasattr(self.data, "reshape") else namespace.reshape(self.data, ())
        if namespace.isdtype(kind, "bool"):
            return bool(scalar)
        if namespace.isdtype(kind, "integral"):
            return int(scalar)
        return complex(scalar) if namespace.isdtype(kind, "complex floating") else float(scalar)

    def _scalar(self, what: str, convert: Any) -> Any:
        refuse_while_recording(f"{what} of a Tensor", "it reads a value that changes from replay to replay")
        return convert(self.data)

    def __bool__(self) -> bool:
        return bool(self._scalar("bool", bool))

    def __float__(self) -> float:
        return float(self._scalar("float", float))

    def __int__(self) -> int:
        return int(self._scalar("int", int))

    def __complex__(self) -> complex:
        return complex(self._scalar("complex", complex))

    def __index__(self) -> int:
        return int(self._scalar("index", lambda data: data.__index__()))

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("a Tensor does not turn into a NumPy array by itself: t.numpy() gives a read-only view")

    def __dlpack__(self, **kwargs: Any) -> Any:
        refuse_while_recording("Tensor.__dlpack__()", "what is done with the memory would be left out by a replay")
        return self.data.__dlpack__(**kwargs)

    def __dlpack_device__(self) -> Any:
        return self.data.__dlpack_device__()

    # -- what an array is ---------------------------------------------------------------------------------------------

    def __array_namespace__(self, /, *, api_version: str | None = None) -> Any:
        return xp

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return self.data.shape  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.data.ndim  # type: ignore[no-any-return]

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.data.size  # type: ignore[no-any-return]

    @property
    def dtype(self) -> Any:
        """The element type, of the wrapped array's library."""
        return self.data.dtype

    @property
    def device(self) -> Any:
        """Where the data live, in the words of the wrapped array's library."""
        return self.data.device

    def to_device(self, device: Any, /, *, stream: Any = None) -> Tensor:
        """This tensor on "cpu" or "cuda"; the gradient comes back through the move."""
        return xp.to_device(self, device)  # type: ignore[no-any-return]

    @property
    def T(self) -> Tensor:
        """The transpose of a matrix."""
        if self.ndim != 2:
            raise ValueError(f"T needs two axes, got shape {self.shape}; use mT or xp.permute_dims")
        return xp.matrix_transpose(self)  # type: ignore[no-any-return]

    @property
    def mT(self) -> Tensor:
        """The transpose of the last two axes."""
        return xp.matrix_transpose(self)  # type: ignore[no-any-return]

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a 0-d tensor")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.shape:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] if self.ndim == 1 else self[i, ...] for i in range(self.shape[0]))

    def __repr__(self) -> str:
        body = repr(self.data).removeprefix("array(").removesuffix(")")
        return f"Tensor({body}{', requires_grad=True' if self.requires_grad else ''})"

    # -- indexing -----------------------------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> Tensor:
        return xp.getitem(self, _plain_key(key))  # type: ignore[no-any-return]

    def __setitem__(self, key: Any, value: Any) -> None:
        refuse_while_recording("Tensor.__setitem__", "in-place writes have no bound form")
        if tape.is_recording((self, value)):
            raise AutodiffError(
                "in-place write to, or of, a tensor that requires a gradient; build the result with xp.where or "
                "xp.concat, or write inside `with tg.no_grad():`"
            )
        self.data[_plain_key(key)] = value.data if isinstance(value, Tensor) else value
        self.writes[0] += 1

    # -- operators: the functions of twingrad.xp ----------------------------------------------------------------------

    def __add__(self, other: Any) -> Tensor:
        return xp.add(self, other)  # type: ignore[no-any-return]

    def __radd__(self, other: Any) -> Tensor:
        return xp.add(other, self)  # type: ignore[no-any-return]

    def __sub__(self, other: Any) -> Tensor:
        return xp.subtract(self, other)  # type: ignore[no-any-return]

    def __rsub__(self, other: Any) -> Tensor:
        return xp.subtract(other, self)  # type: ignore[no-any-return]

    def __mul__(self, other: Any) -> Tensor:
        return xp.multiply(self, other)  # type: ignore[no-any-return]

    def __rmul__(self, other: Any) -> Tensor:
        return xp.multiply(other, self)  # type: ignore[no-any-return]

    def __truediv__(self, other: Any) -> Tensor:
        return xp.divide(self, other)  # type: ignore[no-any-return]

    def __rtruediv__(self, other: Any) -> Tensor:
        return xp.divide(other, self)  # type: ignore[no-any-return]

    def __floordiv__(self, other: Any) -> Tensor:
        return xp.floor_divide(self, other)  # type: ignore[no-any-return]

    def __rfloordiv__(self, other: Any) -> Tensor:
        return xp.floor_divide(other, self)  # type: ignore[no-any-return]

    def __mod__(self, other: Any) -> Tensor:
        return xp.remainder(self, other)  # type: ignore[no-any-return]

    def __rmod__(self, other: Any) -> Tensor:
        return xp.remainder(other, self)  # type: ignore[no-any-return]

    def __pow__(self, other: Any) -> Tensor:
        return xp.pow(self, other)  # type: ignore[no-any-return]

    def __rpow__(self, other: Any) -> Tensor:
        return xp.pow(other, self)  # type: ignore[no-any-return]

    def __matmul__(self, other: Any) -> Tensor:
        return xp.matmul(self, other)  # type: ignore[no-any-return]

    def __rmatmul__(self, other: Any) -> Tensor:
        return xp.matmul(other, self)  # type: ignore[no-any-return]

    def __neg__(self) -> Tensor:
        return xp.negative(self)  # type: ignore[no-any-return]

    def __pos__(self) -> Tensor:
        return xp.positive(self)  # type: ignore[no-any-return]

    def __abs__(self) -> Tensor:
        return xp.abs(self)  # type: ignore[no-any-return]

    def __invert__(self) -> Tensor:
        return xp.bitwise_invert(self)  # type: ignore[no-any-return]

    def __and__(self, other: Any) -> Tensor:
        return xp.bitwise_and(self, other)  # type: ignore[no-any-return]

    def __or__(self, other: Any) -> Tensor:
        return xp.bitwise_or(self, other)  # type: ignore[no-any-return]

    def __xor__(self, other: Any) -> Tensor:
        return xp.bitwise_xor(self, other)  # type: ignore[no-any-return]

    def __lshift__(self, other: Any) -> Tensor:
        return xp.bitwise_left_shift(self, other)  # type: ignore[no-any-return]

    def __rshift__(self, other: Any) -> Tensor:
        return xp.bitwise_right_shift(self, other)  # type: ignore[no-any-return]

    def __lt__(self, other: Any) -> Tensor:
        return xp.less(self, other)  # type: ignore[no-any-return]

    def __le__(self, other: Any) -> Tensor:
        return xp.less_equal(self, other)  # type: ignore[no-any-return]

    def __gt__(self, other: Any) -> Tensor:
        return xp.greater(self, other)  # type: ignore[no-any-return]

    def __ge__(self, other: Any) -> Tensor:
        return xp.greater_equal(self, other)  # type: ignore[no-any-return]

    def __eq__(self, other: Any) -> Tensor:  # type: ignore[override]
        return xp.equal(self, other)  # type: ignore[no-any-return]

    def __ne__(self, other: Any) -> Tensor:  # type: ignore[override]
        return xp.not_equal(self, other)  # type: ignore[no-any-return]

    def sum(self, axis: Any = None, *, keepdims: bool = False) -> Tensor:
        """The sum over `axis`, or over all."""
        return xp.sum(self, axis=axis, keepdims=keepdims)  # type: ignore[no-any-return]

    def mean(self, axis: Any = None, *, keepdims: bool = False) -> Tensor:
        """The mean over `axis`, or over all."""
        return xp.mean(self, axis=axis, keepdims=keepdims)  # type: ignore[no-any-return]

    def reshape(self, *shape: Any) -> Tensor:
        """The same elements in C order under another shape."""
        given = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape
        return xp.reshape(self, tuple(given))  # type: ignore[no-any-return]


def _plain_key(key: Any) -> Any:
    if isinstance(key, tuple):
        return tuple([_plain_key(part) for part in key])
    return key.data if isinstance(key, Tensor) else key
