"""`Tensor`: an array that remembers how it was computed."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from twingrad.autodiff import tape, walk
from twingrad.autodiff.operators import Operators
from twingrad.errors import AutodiffError
from twingrad.namespace import namespace_of, real_floating
from twingrad.recording import refuse_while_recording, under_way

xp: Any = None
"""The namespace `twingrad.xp`, which sets itself and the operators here when it is imported."""

API_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12")
"""The revisions of the standard that `__array_namespace__` knows: each holds the one before it."""

_new = object.__new__


class Tensor(tape.OnTape, Operators):
    """An array of NumPy, CuPy or another library, with a place for its gradient.

    A Tensor is itself an array API object: its namespace is `twingrad.xp`, whose functions record on the tape. Its
    operators are those functions; `t += u` means `t = t + u`, a new tensor.

    data: the array that it wraps; not copied. Write to it with `t[...] = value`, which a backward pass that needs the
    old values sees, and refuses. What NumPy itself writes to `t.data`, nobody sees. `float(t)` gives a number, a
    constant, and so does what calls it: `math.sin(t)`, or `array[0] = t` of a NumPy array.
    requires_grad: compute the gradient with respect to this tensor; real floating dtypes only (else TypeError).

    >>> x = Tensor(np.asarray([1.0, 2.0]), requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    array([2., 4.])
    """

    __slots__ = ("__weakref__", "_grad", "data", "memory", "node", "requires_grad")
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
        self.memory: tape.Memory | None = None  # once it was written in place, or has views
        self._grad: Any = None
        if requires_grad:
            if not real_floating(data):
                cure = "differentiate by its real and imaginary part" if tape.is_complex(data) else "cast it first"
                raise TypeError(f"requires_grad needs a real floating dtype, got {data.dtype}; {cure}")
            self.requires_grad = True

    # -- the gradient -------------------------------------------------------------------------------------------------

    @property
    def grad(self) -> Any:
        """The gradient that `backward` left here, an array of this shape and dtype, or None."""
        return self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        self._grad = value

    def backward(self, seed: Any = None) -> None:
        """Add the gradient of this tensor to `.grad` of every leaf that requires one, and free the tape.

        seed: the cotangent, of this shape; for a scalar a number, or nothing (then 1).
        """
        walk.backward(self, seed)

    def grad_destination(self) -> tape.Destination:
        """Where a backward pass should write this leaf's gradient: anywhere, for a plain tensor."""
        return tape.FRESH

    def receive_grad(self, gradient: Any, destination: tape.Destination) -> None:
        """Take one contribution to this leaf's gradient, which stands in `destination` already where it need not be
        copied.
        """
        if under_way:
            refuse_while_recording(
                "a gradient of a tensor outside all modules", "a replay would overwrite it, not add to it"
            )
        if self._grad is not None:
            self._grad = namespace_of(self.data).asarray(self._grad + gradient)
        elif gradient is destination.array:
            self._grad = gradient
        elif type(gradient) is np.ndarray:  # copies: rules give views, and one array to several leaves
            self._grad = gradient.copy()
        else:
            self._grad = namespace_of(self.data).asarray(gradient, copy=True)

    def detach(self) -> Tensor:
        """The same data, off the tape."""
        tensor = Tensor(self.data)
        tensor.memory = self.shared_memory()
        return tensor

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Of a leaf, its parts; copied or pickled with its tape, a result would give its gradients to copied leaves."""
        if self.node is not None:
            raise AutodiffError(
                f"a tensor made by {self.node.name} on the tape is not to be copied or pickled: detach() it first, or "
                "copy it on the tape by xp.asarray(t, copy=True)"
            )
        return super().__reduce_ex__(protocol)

    # -- writes in place ----------------------------------------------------------------------------------------------

    @property
    def version(self) -> int:
        """How often the data were overwritten in place: a backward pass refuses to use what has changed."""
        return 0 if self.memory is None else self.memory.writes

    def mark_written(self) -> None:
        """Count a write in place, by whoever wrote to `data`."""
        self.shared_memory().write()

    def shared_memory(self) -> tape.Memory:
        """The count of writes that views and `detach()` share with this tensor."""
        if self.memory is None:
            self.memory = tape.Memory() if self.node is None else self.node.memory or tape.Memory()
            if self.node is not None:
                self.node.memory = self.memory
        return self.memory

    def __setitem__(self, key: Any, value: Any) -> None:
        """Write in place; where the tape records, as `t = t with value at key`: this tensor gets memory of its own.

        Then tensors that shared the old memory keep the old values, and so does what was recorded before. Raises
        AutodiffError for a leaf that requires a gradient, for an argument that is being differentiated by, for a view,
        whose base would miss the write, and for integer arrays as keys.
        """
        refuse_while_recording("Tensor.__setitem__", "in-place writes have no bound form")
        if tape.is_recording((self, value)) and xp.isdtype(self.dtype, ("real floating", "complex floating")):
            self._record_write(_plain_key(key), value)
        else:
            self.data[_plain_key(key)] = value.data if isinstance(value, Tensor) else value
            self.mark_written()

    def _record_write(self, key: Any, value: Any) -> None:
        from twingrad.xp.indexing import assigned

        refusal = self._why_no_recorded_write()
        if refusal is not None:
            raise AutodiffError(
                f"in-place write on the tape to {refusal}; write to a copy (xp.asarray(t, copy=True)), build the "
                "result with xp.where, or write inside `with tg.no_grad():`"
            )
        memory = tape.Memory()
        memory.write()
        before = made(self.data, self.node)
        before.memory = self.memory
        result = assigned(before, key, value)
        self.data, self.node, self.requires_grad = result.data, result.node, result.requires_grad
        self.memory = result.node.memory = memory
        memory.since, memory.before, tape.Memory.any_before = memory.written, weakref.ref(before), True

    def _why_no_recorded_write(self) -> str | None:
        from twingrad.autodiff.calls import is_argument

        if self.requires_grad and self.node is None:
            return "a leaf that requires a gradient"
        if is_argument(self):
            return "an argument that is being differentiated by"
        is_view = self.memory is not None and getattr(self.data, "base", None) is not None
        return "a view" if is_view else None

    # -- leaving the tape ---------------------------------------------------------------------------------------------

    def numpy(self) -> np.ndarray[Any, Any]:
        """A read-only NumPy view of the data; data of another device are copied to the host."""
        refuse_while_recording("Tensor.numpy()", "it reads a value that changes from replay to replay")
        view = on_host(self.data).view()
        view.flags.writeable = False
        return view

    def item(self) -> Any:
        """The one element as a Python number."""
        refuse_while_recording("Tensor.item()", "it reads a value that changes from replay to replay")
        if self.size != 1:
            raise ValueError(f"item() needs a tensor of one element, got shape {self.shape}")
        kind = self.data.dtype
        namespace = namespace_of(self.data)
        scalar = namespace.reshape(self.data, ())
        if namespace.isdtype(kind, "bool"):
            return bool(scalar)
        if namespace.isdtype(kind, "integral"):
            return int(scalar)
        return complex(scalar) if namespace.isdtype(kind, "complex floating") else float(scalar)

    def _scalar(self, what: str, convert: Any) -> Any:
        refuse_while_recording(f"{what} of a Tensor", "it reads a value that changes from replay to replay")
        try:
            return convert(self.data)
        except (TypeError, ValueError) as error:
            if self.shape == ():
                raise
            cure = "xp.any or xp.all makes one of many" if what == "bool" else "pick it by its index"
            raise type(error)(f"{what} of a Tensor needs a single element, got shape {self.shape}; {cure}") from error

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

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[Any, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        refuse_while_recording("Tensor.__dlpack__()", "what is done with the memory would be left out by a replay")
        asked = {"stream": stream, "max_version": max_version, "dl_device": dl_device, "copy": copy}
        return self.data.__dlpack__(**{name: value for name, value in asked.items() if value is not None})

    def __dlpack_device__(self) -> Any:
        return self.data.__dlpack_device__()

    # -- what an array is ---------------------------------------------------------------------------------------------

    def __array_namespace__(self, /, *, api_version: str | None = None) -> Any:
        if api_version is not None and api_version not in API_VERSIONS:
            raise ValueError(f"twingrad.xp follows the array API standard {API_VERSIONS[-1]}, not {api_version!r}")
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
        return math.prod(self.data.shape)  # PyTorch has a method of that name

    @property
    def dtype(self) -> Any:
        """The element type, of the wrapped array's library."""
        return self.data.dtype

    @property
    def device(self) -> Any:
        """Where the data live, in the words of the wrapped array's library."""
        return self.data.device

    def to_device(self, device: Any, /, *, stream: Any = None) -> Tensor:
        """This tensor on "cpu", "cuda" or a device of its own library; the gradient comes back through the move.

        stream: of the standard; there is none to choose here (ValueError).
        """
        if stream is not None:
            raise ValueError(f"to_device of a Tensor takes no stream, got {stream!r}")
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
        body = repr(self.data)
        body = body.removeprefix("array(").removesuffix(")") if isinstance(self.data, np.ndarray) else body
        return f"Tensor({body}{', requires_grad=True' if self.requires_grad else ''})"

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec and self.shape == () else format(str(self), spec)

    def __getitem__(self, key: Any) -> Tensor:
        kind = type(key)
        return xp.getitem(self, key if kind is int or kind is slice else _plain_key(key))  # type: ignore[no-any-return]

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


def made(data: Any, node: tape.Node | None = None) -> Tensor:
    """The array `data` as a Tensor, made by `node` where it was recorded: like the constructor, without its checks."""
    if type(data) is not np.ndarray and isinstance(data, np.generic):
        data = np.asarray(data)
    tensor = _new(Tensor)
    tensor.data = data
    tensor.requires_grad = node is not None
    tensor.node = node
    tensor.memory = None
    tensor._grad = None
    return tensor


def record(
    name: str, out: Any, inputs: tuple[Any, ...], backward: Callable[..., Sequence[Any]], *, fresh: bool = False
) -> Tensor:
    """The array `out` as a Tensor that knows that operation `name` made it of `inputs`.

    backward(grad, into) -> a gradient for each input, None where into[i] is None; fresh: see `tape.Operation`.
    """
    operation = tape.Operation(name, lambda node, grad, into: backward(grad, into), fresh=fresh)
    return made(out, tape.recorded(operation, None, inputs, None))


def on_host(array: Any) -> np.ndarray[Any, Any]:
    """The values of an array of any library as a NumPy array: a view of it where it is on the host already."""
    if isinstance(array, np.ndarray):
        return array
    if type(array).__module__.partition(".")[0] == "cupy":
        return np.asarray(array.get())
    return np.from_dlpack(
        array.detach().cpu() if hasattr(array, "detach") else array
    )  # PyTorch's has a tape of its own


def _plain_key(key: Any) -> Any:
    if isinstance(key, tuple):
        return tuple([_plain_key(part) for part in key])
    return key.data if isinstance(key, Tensor) else key
