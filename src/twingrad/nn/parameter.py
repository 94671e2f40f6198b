"""`Parameter`: a tensor that a module trains, living in its model's flat buffer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from twingrad.autodiff import Destination, Tensor
from twingrad.namespace import namespace_of
from twingrad.recording import refuse_while_recording

if TYPE_CHECKING:
    from twingrad.nn.flat import FlatParameters


class Parameter(Tensor):
    """A leaf tensor that requires a gradient.

    data: its first value; or None with `shape`, `dtype` and `draw`, to be drawn when its model is first used.
    draw: called as draw(shape, seed=..., stream=...), returns a float64 array: see `twingrad.nn.init`.
    decay: whether an optimizer's weight decay applies: by default to arrays of two or more axes, so to weights and not
    to biases nor to the scale and shift of batch norm.
    lr_scale: multiplies the optimizer's learning rate.
    """

    __slots__ = ("_decay", "_dtype", "_lr_scale", "_shape", "draw", "flat", "origin", "segment")

    def __init__(
        self,
        data: Any = None,
        *,
        shape: tuple[int, ...] = (),
        dtype: Any = np.float32,
        draw: Callable[..., Any] | None = None,
        decay: bool | None = None,
        lr_scale: float = 1.0,
    ) -> None:
        if (data is None) == (draw is None):
            raise TypeError("a Parameter is made of data, or of a shape and a draw function")
        if data is None and not callable(draw):
            raise TypeError(f"a Parameter is drawn by a function, such as nn.init.he_normal; got {draw!r}")
        if data is None and np.dtype(dtype).kind != "f":
            raise TypeError(f"a Parameter is of a floating dtype, such as float32; got {np.dtype(dtype)}")
        super().__init__(data, requires_grad=data is not None)
        self.requires_grad = True
        self._shape = tuple(shape if data is None else data.shape)
        self._dtype = np.dtype(dtype) if data is None else data.dtype
        self.draw = draw
        self.origin: tuple[int, int] | None = None
        self.flat: FlatParameters | None = None
        self.segment = -1
        self.decay = len(self._shape) > 1 if decay is None else decay
        self.lr_scale = lr_scale

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes, known before the values are drawn."""
        return self._shape

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self._shape)

    @property
    def dtype(self) -> Any:
        """The element type, known before the values are drawn."""
        return self._dtype if self.data is None else self.data.dtype

    @property
    def decay(self) -> bool:
        """Whether an optimizer's weight decay applies."""
        return self._decay

    @decay.setter
    def decay(self, value: bool) -> None:
        self._decay = bool(value)
        if self.flat is not None:
            self.flat.settings += 1

    @property
    def lr_scale(self) -> float:
        """What the optimizer's learning rate is multiplied with here."""
        return self._lr_scale

    @lr_scale.setter
    def lr_scale(self, value: float) -> None:
        self._lr_scale = float(value)
        if self.flat is not None:
            self.flat.settings += 1

    @property
    def version(self) -> int:
        """How often the values were overwritten, by assignment or by an optimizer."""
        return super().version + (0 if self.flat is None else self.flat.memory.writes)

    def last_write(self) -> int:
        """The number of the last write, by assignment or by an optimizer."""
        own = super().last_write()
        return own if self.flat is None else max(own, self.flat.memory.written)

    @property
    def grad(self) -> Any:
        """The gradient: a view into the flat gradient, or None where none was computed since `zero_grad`."""
        refuse_while_recording("Parameter.grad", "what is done with the array would be left out by a replay")
        return self.held_grad()

    @grad.setter
    def grad(self, value: Any) -> None:
        refuse_while_recording("setting Parameter.grad", "a replay would leave it out")
        if self.flat is None:
            self._grad = value
        elif value is None:
            self.flat.touched[self.segment] = False
        else:
            if tuple(np.shape(value)) != self.shape:
                raise ValueError(f"a parameter of shape {self.shape} cannot have a gradient of shape {np.shape(value)}")
            self.flat.grad_view(self.segment)[...] = value
            self.flat.touched[self.segment] = True

    def held_grad(self) -> Any:
        """`grad`, also while a step is captured."""
        if self.flat is None:
            return self._grad
        return self.flat.grad_view(self.segment) if self.flat.touched[self.segment] else None

    def grad_destination(self) -> Destination:
        """The view into the flat gradient: the first write since `zero_grad` overwrites, later ones add."""
        if self.flat is None:
            return super().grad_destination()
        return self.flat.claim_grad(self.segment)

    def receive_grad(self, gradient: Any, destination: Destination) -> None:
        """Put a contribution in its place, unless a kernel has written it there already."""
        if self.flat is None:
            super().receive_grad(gradient, destination)
            return
        if gradient is destination.array:
            return
        refuse_while_recording("a gradient from the reference path", "writing it to its place has no bound form")
        if destination.array is None:
            destination = self.flat.claim_grad(self.segment)
        destination.array[...] = destination.array + gradient if destination.accumulate else gradient

    def rounded(self) -> Any:
        """The values in bfloat16, as an optimizer keeps them up to date; None for a parameter of no model."""
        return None if self.flat is None else self.flat.rounded(self.segment)

    def assign(self, value: Any) -> None:
        """Copy `value`, an array of this shape, into the parameter, keeping its dtype and place."""
        array = value.data if isinstance(value, Tensor) else value
        shape = np.shape(array) if isinstance(array, int | float | list) else array.shape
        if tuple(shape) != self.shape:
            raise ValueError(f"a parameter of shape {self.shape} cannot take a value of shape {tuple(shape)}")
        if getattr(array, "dtype", None) is not None and namespace_of(array).isdtype(array.dtype, "complex floating"):
            raise TypeError(f"a parameter of {self.dtype} cannot take a value of {array.dtype}")
        refuse_while_recording("assigning to a parameter", "a replay would leave it out")
        self.origin = None
        self.data[...] = array
        self.mark_written()

    def draw_for(self, seed: int, stream: int) -> None:
        """Draw the values of this seed and stream, unless others were drawn and since settled or overwritten."""
        origin = self.origin
        if self.draw is None or origin == (seed, stream) or (self.data is not None and origin is None):
            return
        if self.data is None or self._is_as_drawn():
            self.data, self.origin = self._draw(seed, stream), (seed, stream)

    def _is_as_drawn(self) -> bool:
        if not isinstance(self.data, np.ndarray) or self.origin is None:
            return False
        return np.array_equal(self.data, self._draw(*self.origin))

    def _draw(self, seed: int, stream: int) -> Any:
        drawn = self.draw(self._shape, seed=seed, stream=stream)  # type: ignore[misc]
        return drawn.astype(self.dtype)

    def settle_in(self, view: Any, flat: FlatParameters, segment: int) -> None:
        """Live in `view`, which holds the values, from now on; what was recorded with another dtype is out of date."""
        memory = self.shared_memory()
        if self.flat is not None:
            self.flat.valid = False
            before = self.flat.memory
            memory.writes, memory.written = memory.writes + before.writes, max(memory.written, before.written)
            if type(view) is not type(self.data) or view.dtype != self.data.dtype:
                memory.write()
        self.data, self.flat, self.segment = view, flat, segment

    def __repr__(self) -> str:
        if self.data is None:
            return f"Parameter(shape={self._shape}, dtype={self._dtype}, not drawn yet)"
        return f"Parameter({self.data!r})"

    def __reduce__(self) -> Any:
        data = None if self.data is None else namespace_of(self.data).asarray(self.data, copy=True)
        state = (self.requires_grad, self.decay, self.lr_scale, self._shape, self._dtype, self.draw, self.origin)
        return _rebuilt, (data, *state)


def _rebuilt(
    data: Any, requires_grad: bool, decay: bool, lr_scale: float, shape: Any, dtype: Any, draw: Any, origin: Any
) -> Parameter:
    if data is None:
        parameter = Parameter(shape=shape, dtype=dtype, draw=draw, decay=decay, lr_scale=lr_scale)
    else:
        parameter = Parameter(data, decay=decay, lr_scale=lr_scale)
        parameter.draw, parameter.origin = draw, origin
    parameter.requires_grad = requires_grad
    return parameter
