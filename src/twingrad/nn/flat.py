"""A model's parameters in one buffer, theta; their gradients in another of the same layout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad import backends, devices
from twingrad.autodiff import Destination
from twingrad.autodiff.tape import Memory
from twingrad.errors import CaptureError
from twingrad.namespace import Array, backend_of, namespace_of
from twingrad.nn.parameter import Parameter
from twingrad.nn.rounded import RoundedParameters
from twingrad.precision import bfloat16
from twingrad.recording import current, refuse_while_recording

ALIGNMENT = 64
"""Segments start at multiples of this many bytes, so that vector loads are aligned and no two share a cache line."""


class FlatParameters:
    """The buffers, and where each parameter lies in them.

    parameters: each once (tied weights are one segment); their values and gradients move here.
    like: an array whose library, device and dtype the buffers take.

    theta, grad: (P,), padded between segments; segments: (S, 2) int64, offset and length of each parameter.
    touched: (S,), whether a gradient was written since `zero_grad`. memory counts the optimizer's updates, settings the
    changes of a parameter's decay or learning-rate scale. copies: the parameters in bfloat16, from the first `rounded`
    on. valid turns False once the parameters live elsewhere.
    """

    def __init__(self, parameters: Sequence[Parameter], like: Array) -> None:
        self.parameters = list(parameters)
        self.segments, size = _lay_out(self.parameters, ALIGNMENT // _itemsize(like))
        self.touched: NDArray[np.bool_] = np.zeros(len(self.parameters), np.bool_)
        self.memory = Memory()
        self.settings = 0
        self.valid = True
        self.copies: RoundedParameters | None = None
        self._theta, self._grad = _zeros(size, like), _zeros(size, like)
        self._grad_views = [self._view(self._grad, i) for i in range(len(self.parameters))]
        views = [self._copied(i, parameter) for i, parameter in enumerate(self.parameters)]
        for i, view in enumerate(views):  # all copies are made by now: had one failed, nothing would have changed
            self.parameters[i].settle_in(view, self, i)

    @property
    def theta(self) -> Array:
        """All values, (P,)."""
        refuse_while_recording("FlatParameters.theta", "what is done with the array would be left out by a replay")
        return self._theta

    @property
    def grad(self) -> Array:
        """All gradients, (P,): those of segments not `touched` are out of date."""
        refuse_while_recording("FlatParameters.grad", "what is done with the array would be left out by a replay")
        return self._grad

    def buffers(self) -> tuple[Array, Array]:
        """`theta` and `grad`, also while a step is captured."""
        return self._theta, self._grad

    def rounded(self, segment: int) -> Array:
        """The values of a segment, rounded to bfloat16, in its parameter's shape."""
        if self.copies is None:
            self.copies = RoundedParameters(self, _zeros(self._theta.shape[0], self._theta, bfloat16()))
        return self.copies.of(segment)

    def zero_grad(self, segments: NDArray[np.bool_] | None = None) -> None:
        """Forget the gradients of all or of the chosen segments: the next write to each overwrites it."""
        chosen: Any = ... if segments is None else segments
        if current() is not None:
            self._recorded().zeroed[chosen] = True
        self.touched[chosen] = False

    def claim_grad(self, segment: int) -> Destination:
        """Where to write the gradient of a segment, which counts as written from now on."""
        if current() is not None and not self._recorded().zeroed[segment]:
            raise CaptureError(
                "a captured step must call zero_grad() before backward(), for every parameter that gets a gradient: "
                "each replay starts afresh"
            )
        accumulate = bool(self.touched[segment])
        self.touched[segment] = True
        return Destination(self._grad_views[segment], accumulate)

    def grad_view(self, segment: int) -> Array:
        """The gradient of a segment, in its parameter's shape."""
        return self._grad_views[segment]

    def guard(self) -> None:
        """Have the step that is being captured check that its replays still find the parameters here."""
        recording = current()
        if recording is None or ("guard", self) in recording.seen:
            return
        recording.seen.add(("guard", self))
        frozen = [parameter.requires_grad for parameter in self.parameters]

        def why_not() -> str | None:
            if not self.valid:
                return "the model was moved or its layers changed"
            if [parameter.requires_grad for parameter in self.parameters] != frozen:
                return "a parameter was frozen or unfrozen"
            return None

        recording.guards.append(why_not)

    def active(self) -> NDArray[np.bool_]:
        """(S,): the segments that an optimizer should update: not frozen, and a gradient was written."""
        frozen = [not parameter.requires_grad for parameter in self.parameters]
        return self.touched & ~np.asarray(frozen, np.bool_) if any(frozen) else self.touched.copy()

    def _recorded(self) -> _Recorded:
        """What the step that is being captured does with the gradients here."""
        recording = current()
        assert recording is not None
        found = next((seen for seen in recording.seen if isinstance(seen, _Recorded) and seen.flat is self), None)
        if found is None:
            found = _Recorded(self)
            recording.seen.add(found)
            recording.undo.append(self._back_to_here())
            recording.at_end.append(found.keep)
            recording.after_replay.append(found.replay)
        return found

    def _back_to_here(self) -> Callable[[], None]:
        """A function that puts the gradients back as they are now."""
        grad, touched = namespace_of(self._grad).asarray(self._grad, copy=True), self.touched.copy()

        def put_back() -> None:
            self._grad[...] = grad
            self.touched[...] = touched

        return put_back

    def _copied(self, segment: int, parameter: Parameter) -> Array:
        """The view of a segment, with its parameter's values, and its gradient if there is one."""
        view = self._view(self._theta, segment)
        view[...] = moved(parameter.data, view)
        grad = parameter.held_grad()
        if grad is not None:
            self._grad_views[segment][...] = moved(grad, view)
            self.touched[segment] = True
        return view

    def _view(self, buffer: Array, segment: int) -> Array:
        offset, length = self.segments[segment].tolist()
        return namespace_of(buffer).reshape(buffer[offset : offset + length], self.parameters[segment].shape)


class _Recorded:
    """Which gradients a captured step zeroes, and which are there at its end."""

    def __init__(self, flat: FlatParameters) -> None:
        self.flat = flat
        self.zeroed = np.zeros_like(flat.touched)

    def keep(self) -> None:
        self.after = self.flat.touched.copy()

    def replay(self) -> None:
        np.copyto(self.flat.touched, self.after, where=self.zeroed)


def _lay_out(parameters: Sequence[Parameter], unit: int) -> tuple[NDArray[np.int64], int]:
    """The segments, each at a multiple of `unit` elements, and the size of the buffer that holds them."""
    offset, rows = 0, []
    for parameter in parameters:
        rows.append((offset, parameter.size))
        offset += -(-parameter.size // unit) * unit
    return np.asarray(rows, np.int64).reshape(-1, 2), offset


def _itemsize(like: Array) -> int:
    if not namespace_of(like).isdtype(like.dtype, "real floating"):
        raise TypeError(f"parameters are of a real floating dtype, such as float32; got {like.dtype}")
    return int(namespace_of(like).finfo(like.dtype).bits) // 8


def _zeros(size: int, like: Array, dtype: Any = None) -> Array:
    dtype = like.dtype if dtype is None else dtype
    if backend_of(like) is not None:
        return backends.get(devices.device_of(like)).zeros_aligned(size, dtype)
    return namespace_of(like).zeros(size, dtype=dtype, device=like.device)


def moved(array: Array, like: Array, *, keep_integers: bool = False) -> Array:
    """`array` in the library, on the device and with the dtype of `like`; integers keep their dtype if so asked."""
    dtype = like.dtype
    if keep_integers and not namespace_of(array).isdtype(array.dtype, "real floating"):
        dtype = None
    if backend_of(like) is not None:
        return backends.get(devices.device_of(like)).asarray(array, dtype=dtype)
    return namespace_of(like).asarray(array, dtype=dtype, device=like.device)
