"""What all optimizers share: flat state over a model's segments, and the scalars of each step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad.errors import CaptureError
from twingrad.namespace import Array, namespace_of
from twingrad.nn import FlatParameters, Module, Parameter
from twingrad.nn.flat import moved
from twingrad.recording import Recording, current


class Optimizer:
    """Updates the parameters of a model, all in one call of its rule.

    model: a Module, or None to `bind` one later, as `tg.fit` does.
    lr: the learning rate (the course's alpha), finite and not negative; or a function of the number of steps taken.
    weight_decay: lambda/m, for parameters whose `decay` is true: weights, not biases nor batch norm's.
    Parameters that are frozen, or had no gradient since `zero_grad`, are left alone and their steps not counted.

    A subclass names its moments in `state_names`, its scalars in `columns`, and gives `row` and `rule`.
    """

    state_names: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    def __init__(self, model: Module | None, *, lr: float | Callable[[int], float], weight_decay: float = 0.0) -> None:
        self.lr = lr
        self.weight_decay = non_negative("weight_decay", weight_decay)
        self.steps_taken = 0
        self.state: dict[str, Array] = {}
        self._model: Module | None = None
        self._flat: FlatParameters | None = None
        self._held: dict[Parameter, tuple[int, int, int]] = {}
        if model is not None:
            self.bind(model)

    # -- the rule: what a subclass gives ------------------------------------------------------------------------------

    def row(self, *, step: int, lr: float, decay: float) -> tuple[float, ...]:
        """The scalars of `columns` for a segment's step number `step`, from 1."""
        raise TypeError(f"{type(self).__name__} defines no row(...)")

    def rule(self, theta: Array, grad: Array, segments: Array, control: Array) -> None:
        """Update the segments of theta, in place."""
        raise TypeError(f"{type(self).__name__} defines no rule(...)")

    # -- use ----------------------------------------------------------------------------------------------------------

    @property
    def lr(self) -> float | Callable[[int], float]:
        """The learning rate; may be set between steps."""
        return self._lr

    @lr.setter
    def lr(self, value: float | Callable[[int], float]) -> None:
        if current() is not None:
            raise CaptureError(
                "the learning rate cannot be set inside a captured step, where it would be frozen; set optimizer.lr "
                "between steps, or give a function of the step number as lr"
            )
        self._lr = value if callable(value) else non_negative("lr", value)

    def bind(self, model: Module) -> Optimizer:
        """Take charge of `model`'s parameters; returns self. Raises ValueError if there is a model already."""
        if not isinstance(model, Module):
            raise TypeError(f"{type(self).__name__} optimizes a Module, got a {type(model).__name__}")
        if self._model is not None and self._model is not model:
            raise ValueError(
                f"this {type(self).__name__} has a model already; make another optimizer for another model"
            )
        self._model = model
        self._follow()
        return self

    def zero_grad(self) -> None:
        """Forget the gradients: `.grad` is None until the next backward pass."""
        self._follow().zero_grad(self._mine)

    def step(self) -> None:
        """Update every parameter that has a gradient."""
        flat = self._follow()
        self._plan_for(flat, flat.active() & self._mine)
        recording = current()
        if recording is not None:
            self._record_host_work(recording, flat)
        self._advance()
        if self._plan:
            self.rule(*flat.buffers(), self._segments, self._control)
            flat.writes += 1

    def steps_of(self, parameter: Parameter) -> int:
        """How often `parameter` was updated."""
        self._follow()
        return int(self._steps[parameter.segment])

    # -- inside -------------------------------------------------------------------------------------------------------

    def _follow(self) -> FlatParameters:
        """The model's flat buffers; where they are new, the state moves to the same layout, device and dtype."""
        if self._model is None:
            raise ValueError(f"this {type(self).__name__} has no model; pass one to it, or call bind(model)")
        flat = self._model.flat()
        if flat is not self._flat:
            self._adopt(flat)
        return flat

    def _adopt(self, flat: FlatParameters) -> None:
        mine = self._model.parameters()  # type: ignore[union-attr]
        theta, _ = flat.buffers()
        state = {name: namespace_of(theta).zeros_like(theta) for name in self.state_names}
        count = len(flat.parameters)
        steps = np.zeros(count, np.int64)
        for parameter, (old_offset, length, old_step) in self._held_now().items():
            if parameter.flat is flat and parameter.size == length:
                offset = int(flat.segments[parameter.segment, 0])
                steps[parameter.segment] = old_step
                for name, old in self.state.items():
                    state[name][offset : offset + length] = moved(old[old_offset : old_offset + length], theta)
        self._mine: NDArray[np.bool_] = np.zeros(count, np.bool_)
        self._mine[[parameter.segment for parameter in mine]] = True
        self._segments = flat.segments.copy()
        self._control: NDArray[np.float64] = np.zeros((count, len(self.columns)))
        self.state, self._steps, self._flat = state, steps, flat
        self._held = {p: (int(flat.segments[p.segment, 0]), p.size, 0) for p in mine}
        self._plan_key: Any = None

    def _held_now(self) -> dict[Parameter, tuple[int, int, int]]:
        """Where each parameter's state lies in the arrays held now: offset, length, steps."""
        if self._flat is None:
            return self._held
        index = {p: i for i, p in enumerate(self._flat.parameters)}  # not list.index: == of tensors is elementwise
        return {p: (o, n, int(self._steps[index[p]])) for p, (o, n, _) in self._held.items()}

    def _plan_for(self, flat: FlatParameters, active: NDArray[np.bool_]) -> None:
        """Group the active segments that share their scalars: same step number, learning-rate scale and decay."""
        key = (flat.settings, self.weight_decay, active.tobytes())
        if key == self._plan_key:
            return
        groups: dict[tuple[int, float, float], list[int]] = {}
        for i in np.flatnonzero(active).tolist():
            parameter = flat.parameters[i]
            decay = self.weight_decay if parameter.decay else 0.0
            groups.setdefault((int(self._steps[i]), parameter.lr_scale, decay), []).append(i)
        everything = len(groups) == 1 and bool(active.all())
        self._plan: list[tuple[Any, int, float, float]] = [
            (slice(None) if everything else members, members[0], lr_scale, decay)
            for (_, lr_scale, decay), members in groups.items()
        ]
        self._plan_key, self._active = key, active
        self._segments[:, 1] = np.where(active, flat.segments[:, 1], 0)

    def _advance(self) -> None:
        """The host's part of a step: count it, and write each segment's scalars."""
        lr = non_negative("lr", self._lr(self.steps_taken)) if callable(self._lr) else self._lr
        self._steps += self._active
        for members, first, lr_scale, decay in self._plan:
            self._control[members] = self.row(step=int(self._steps[first]), lr=lr * lr_scale, decay=decay)
        self.steps_taken += 1

    def _record_host_work(self, recording: Recording, flat: FlatParameters) -> None:
        if self in recording.seen:
            raise CaptureError(
                "a captured step calls an optimizer's step() once: its scalars are written once a replay"
            )
        recording.seen.add(self)
        flat.guard()
        active = self._active

        def advance() -> None:
            self._plan_for(flat, active)
            self._advance()

        held = dict(self.state)

        def why_not() -> str | None:
            same = all(self.state.get(name) is array for name, array in held.items())
            return None if same else f"an array of the state of {type(self).__name__} was replaced"

        recording.guards.append(why_not)
        recording.before_replay.append(advance)
        recording.after_replay.append(lambda: self._count_write(flat))
        recording.undo.append(self._back_to_here())

    def _count_write(self, flat: FlatParameters) -> None:
        flat.writes += 1

    def _back_to_here(self) -> Callable[[], None]:
        """A function that puts parameters, moments and step numbers back as they are now."""
        theta, _ = self._flat.buffers()  # type: ignore[union-attr]
        arrays = [theta, self._steps, *self.state.values()]
        copies, taken = [array.copy() for array in arrays], self.steps_taken

        def put_back() -> None:
            for array, copy in zip(arrays, copies, strict=True):
                array[...] = copy
            self.steps_taken = taken

        return put_back

    def __getstate__(self) -> dict[str, Any]:
        held = self._held_now()
        kept = {
            k: v for k, v in self.__dict__.items() if k not in ("_flat", "_mine", "_segments", "_control", "_steps")
        }
        return kept | {"_held": held, "_flat": None}


def non_negative(name: str, value: float) -> float:
    """`value` as a float; ValueError unless it is finite and not negative."""
    number = _number(name, value)
    if not (math.isfinite(number) and number >= 0):
        raise ValueError(f"{name} must be a finite number of at least 0, got {value}")
    return number


def below_one(name: str, value: float) -> float:
    """`value` as a float; ValueError unless it is in [0, 1)."""
    number = _number(name, value)
    if not 0 <= number < 1:
        raise ValueError(f"{name} must be in [0, 1), got {value}")
    return number


def _number(name: str, value: Any) -> float:
    if isinstance(value, str) or not hasattr(value, "__float__"):
        raise TypeError(f"{name} must be a number, got {value!r}")
    return float(value)
