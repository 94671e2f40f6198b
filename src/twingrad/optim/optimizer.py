"""What all optimizers share: flat state over a model's segments, updated by one call of a rule."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad import backends, devices
from twingrad import functional as F
from twingrad.functional.checks import non_negative
from twingrad.functional.terms import Terms
from twingrad.namespace import Array, backend_of, namespace_of
from twingrad.nn import FlatParameters, Module, Parameter
from twingrad.nn.flat import moved
from twingrad.nn.rounded import RoundedParameters
from twingrad.optim import average
from twingrad.optim.arguments import Checked, decay, flag, limit, scale
from twingrad.optim.captured import record_host_work
from twingrad.optim.plan import Plan
from twingrad.optim.rate import Rate, Rated
from twingrad.optim.state import gathered, load
from twingrad.precision import asked_for
from twingrad.recording import current, refuse_while_recording


class Optimizer(Rated):
    """Updates the parameters of a model, all in one call of its rule.

    model: a Module, or None to `bind` one later, as `tg.fit` does.
    lr: the learning rate (the course's alpha), finite and not negative; a schedule of `optim.schedules`; or a function
    of the number of steps taken.
    weight_decay: lambda/m, for parameters whose `decay` is true: weights, not biases nor batch norm's. As L2
    regularisation it is added to the gradient; `decoupled`, it shrinks the parameter by 1 - lr weight_decay.
    l1: lambda/(2m), for the same parameters: after the step each is drawn towards 0 by lr l1, in the scale of the step
    (Adam's is divided by its root), and is 0 where it gets there: a proximal step, for the gradient of a penalty never
    gives exact zeros. `Module.sparsity` counts them.
    clip_norm: the largest norm of the gradient over all parameters; a longer one is scaled down to it, before decay.
    clip_value: the largest absolute value of an element of it, after clip_norm. Infinity, for either, is None.
    ema: the decay, in [0, 1), of an average of the weights, kept in the same pass: after the first step the weights
    themselves, then average = ema average + (1 - ema) p after each. `averaged` puts it in their place. Source: Polyak
    and Juditsky 1992, with exponential weights.
    loss_scale: what the loss is multiplied with before `backward`, by the caller (`tg.fit` does it); gradients are
    divided by it before all else. It does not adapt: where a gradient overflows, weights become infinite or NaN, and
    `grad_norm`, with clip_norm, tells so.
    Parameters that are frozen, or had no gradient since `zero_grad`, are left alone, their averages too, and their
    steps not counted.

    A subclass names its moments in `state_names`, its scalars in `columns`, its arguments in `options`, and gives `row`
    and `rule`.
    """

    state_names: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    options: tuple[str, ...] = ("weight_decay", "decoupled", "l1", "clip_value", "clip_norm", "ema", "loss_scale")
    weight_decay = Checked(non_negative)
    l1 = Checked(non_negative)
    clip_value = Checked(limit)
    clip_norm = Checked(limit)
    loss_scale = Checked(scale)
    decoupled = Checked(flag)

    def __init__(
        self,
        model: Module | None,
        *,
        lr: Rate,
        weight_decay: float = 0.0,
        decoupled: bool = False,
        l1: float = 0.0,
        clip_value: float | None = None,
        clip_norm: float | None = None,
        ema: float | None = None,
        loss_scale: float = 1.0,
    ) -> None:
        super().__init__(lr)
        self.weight_decay, self.l1, self.decoupled = weight_decay, l1, decoupled
        self.clip_value, self.clip_norm, self.loss_scale = clip_value, clip_norm, loss_scale
        self._ema, self.holds_average = decay(ema), False
        if ema is not None:
            self.state_names = (*self.state_names, average.AVERAGE)
        self.state: dict[str, Array] = {}
        self._model: Module | None = None
        self._flat: FlatParameters | None = None
        self._held: dict[Parameter, tuple[int, int, int]] = {}
        if model is not None:
            self.bind(model)

    def __repr__(self) -> str:
        """The class, the learning rate and every option that is set."""
        set_ = {name: getattr(self, name) for name in self.options}
        given = {"lr": self.lr} | {name: value for name, value in set_.items() if value is not None}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in given.items())})"

    # -- the rule: what a subclass gives ------------------------------------------------------------------------------

    def row(self, *, step: int, lr: float, around: Terms) -> tuple[float, ...]:
        """The scalars of `columns` for a segment's step number `step`, from 1; `around` are the last of them."""
        raise TypeError(f"{type(self).__name__} defines no row(...)")

    def rule(self, theta: Array, grad: Array, segments: Array, control: Array, copy: Array | None) -> None:
        """Update the segments of theta, in place, and then round them to `copy`, bfloat16, where it is given."""
        raise TypeError(f"{type(self).__name__} defines no rule(...)")

    # -- use ----------------------------------------------------------------------------------------------------------

    @property
    def ema(self) -> float | None:
        """The decay of the average of the weights, or None where there is none; another may be set between steps."""
        return self._ema

    @ema.setter
    def ema(self, value: float | None) -> None:
        asked = decay(value)
        if (asked is None) != (self._ema is None):
            raise ValueError(
                f"ema cannot become {value}: an optimizer averages the weights from its first step on or never; it was "
                f"made with ema={self._ema}"
            )
        self._ema = asked

    @property
    def step_gain(self) -> float:
        """How many times as far a constant gradient carries in a step as its size: 1/(1 - momentum) for a sum."""
        return 1.0

    @property
    def grad_norm(self) -> float | None:
        """The norm of the gradient at the last step, before clipping; None without `clip_norm` or before a step."""
        refuse_while_recording("Optimizer.grad_norm", "it reads a value that changes from replay to replay")
        return float(self._norm[0]) if self._flat is not None and self.clip_norm and self.steps_taken else None

    def averaged(self) -> AbstractContextManager[None]:
        """Within the block the parameters hold their averages: to evaluate the model, or to save it.

        Those that were never updated hold their values. Running averages of batch normalisation are the training's.
        Afterwards all are as before, to the bit, whatever was assigned meanwhile. Raises ValueError without `ema`, and
        where `step` is called within.

        >>> import numpy as np
        >>> from twingrad import nn, optim
        >>> model = nn.Linear(1, 1, bias=False)
        >>> model.weight = [[2.0]]
        >>> optimizer = optim.SGD(model, lr=1.0, ema=0.75)
        >>> for _ in range(2):
        ...     optimizer.zero_grad()
        ...     model(np.ones((1, 1), np.float32)).sum().backward()
        ...     optimizer.step()
        >>> with optimizer.averaged():
        ...     model.weight.item()
        0.75
        >>> model.weight.item()
        0.0
        """
        return average.in_place(self)

    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on besides the model, to go on later.

        {"optimizer": the class's name, "hyperparameters": by name, with a schedule as its `to_dict()`, and without a
        learning rate that is a function or a schedule around one, "steps_taken": n, "epoch_began": [the steps taken
        then, the epochs done], "steps": by the path of each parameter, "state": for each of `state_names` copies as
        NumPy arrays, by path}. Decay and learning-rate scales of parameters are the model's.
        """
        refuse_while_recording("Optimizer.state_dict()", "it reads values that change from replay to replay")
        self._follow()
        return gathered(self)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over `state`, as `state_dict` gives it: hyperparameters, moments and counts.

        Moments of another floating dtype are cast to the model's, as its own `load_state_dict` does.
        Raises ValueError or TypeError naming what is missing, unexpected, of another shape or out of range, before
        anything is written. A learning rate that was a function is not in the state: this optimizer's own stays.
        """
        refuse_while_recording("Optimizer.load_state_dict()", "a replay would leave it out")
        self._follow()
        load(self, state)

    def bind(self, model: Module) -> Optimizer:
        """Take charge of `model`'s parameters; returns self. Raises ValueError for none, or if it has a model."""
        if not isinstance(model, Module):
            raise TypeError(f"{type(self).__name__} optimizes a Module, got a {type(model).__name__}")
        if not model.parameters():
            raise ValueError(
                f"{type(self).__name__} has nothing to train: this {type(model).__name__} has no parameters; "
                "assign layers or Parameters to attributes of the model first"
            )
        if self._model is not None and self._model is not model:
            raise ValueError(
                f"this {type(self).__name__} has a model already; make another optimizer for another model"
            )
        self._model = model
        self._follow()
        return self

    def zero_grad(self) -> None:
        """Forget the gradients: `.grad` is None until the next backward pass."""
        self._follow().zero_grad(self._plan.mine)

    def step(self) -> None:
        """Update every parameter that has a gradient."""
        flat = self._follow()
        self._choose(flat.active() & self._plan.mine)
        recording = current()
        if recording is not None:
            record_host_work(self, recording, flat)
        self._advance()
        if self._plan.groups:
            theta, grad = flat.buffers()
            copies = flat.copies if asked_for() == "bf16" else None
            self.rule(theta, grad, *self._tables(grad), None if copies is None else copies.array)
            self._count_write(flat, copies)

    def steps_of(self, parameter: Parameter) -> int:
        """How often `parameter` was updated."""
        self._follow()
        return int(self._plan.steps[parameter.segment])

    # -- inside -------------------------------------------------------------------------------------------------------

    def _follow(self) -> FlatParameters:
        """The model's flat buffers; where they are new, the state moves to the same layout, device and dtype."""
        if self._model is None:
            raise ValueError(f"this {type(self).__name__} has no model; pass one to it, or call bind(model)")
        flat = self._model.flat()
        if flat is not self._flat:
            self._adopt(flat)
        return flat

    def _tables(self, grad: Array) -> tuple[Array, Array]:
        """The segments and their scalars for the rule; clipping writes its factor into the latter, where they lie."""
        tables: tuple[Array, Array] = self._plan.segments, self._plan.control
        if self.clip_norm is None:
            return tables
        if backend_of(grad) == "cuda":
            there = backends.get(devices.device_of(grad))
            recording = current()
            segments, control = tables
            tables = (
                there.asarray(segments),
                there.asarray(control) if recording is None else recording.mirror(control, there.asarray),
            )
        F.clip_segments(grad, *tables, self._norm, max_norm=self.clip_norm, unscale=1.0 / self.loss_scale)
        return tables

    def _adopt(self, flat: FlatParameters) -> None:
        mine = self._model.parameters()  # type: ignore[union-attr]
        theta, _ = flat.buffers()
        state = {name: namespace_of(theta).zeros_like(theta) for name in self.state_names}
        steps = np.zeros(len(flat.parameters), np.int64)
        for parameter, (old_offset, length, old_step) in self._held_now().items():
            if parameter.flat is flat and parameter.size == length:
                offset = int(flat.segments[parameter.segment, 0])
                steps[parameter.segment] = old_step
                for name, old in self.state.items():
                    state[name][offset : offset + length] = moved(old[old_offset : old_offset + length], theta)
        device = devices.device_of(theta) if backend_of(theta) == "cuda" else "cpu"
        self._norm: Array = backends.get(device).zeros_aligned(1, np.float64)
        self.state, self._plan, self._flat = state, Plan(flat, mine, steps, len(self.columns)), flat
        self._held = {p: (int(flat.segments[p.segment, 0]), p.size, 0) for p in mine}

    def _held_now(self) -> dict[Parameter, tuple[int, int, int]]:
        """Where each parameter's state lies in the arrays held now: offset, length, steps."""
        if self._flat is None:
            return self._held
        index = {p: i for i, p in enumerate(self._flat.parameters)}  # not list.index: == of tensors is elementwise
        return {p: (o, n, int(self._plan.steps[index[p]])) for p, (o, n, _) in self._held.items()}

    def _choose(self, active: NDArray[np.bool_]) -> None:
        self._plan.choose(active, self.weight_decay != 0.0 or self.l1 != 0.0)

    def _advance(self) -> None:
        """The host's part of a step: count it, and write each segment's scalars."""
        if self.holds_average:
            raise ValueError(f"the weights are their averages: leave averaged() before {type(self).__name__}.step()")
        self._plan.advance(
            self.rate, lambda step, lr, decays: self.row(step=step, lr=lr, around=self._around(step, lr, decays))
        )
        self.steps_taken += 1

    def _around(self, step: int, lr: float, decays: bool) -> Terms:
        factor, limit = 1.0 / self.loss_scale, math.inf if self.clip_value is None else self.clip_value
        blend = 0.0 if self._ema is None else average.blend(self._ema, step)
        if not decays:
            return Terms(factor, limit, 0.0, 1.0, 0.0, blend)
        l2, shrink = (0.0, 1.0 - lr * self.weight_decay) if self.decoupled else (self.weight_decay, 1.0)
        return Terms(factor, limit, l2, shrink, lr * self.l1 * self.step_gain, blend)

    def _count_write(self, flat: FlatParameters, copies: RoundedParameters | None) -> None:
        fresh = [] if copies is None else copies.fresh()
        flat.memory.write()
        if copies is not None:
            copies.followed(fresh)

    def __getstate__(self) -> dict[str, Any]:
        if self.holds_average:
            raise ValueError(
                f"leave averaged() before {type(self).__name__} is copied: the weights themselves are there"
            )
        held = self._held_now()
        left = ("_flat", "_plan", "_norm")
        kept = {k: v for k, v in self.__dict__.items() if k not in left}
        return kept | {"_held": held, "_flat": None}
