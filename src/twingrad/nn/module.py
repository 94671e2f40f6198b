"""`Module`: a tree of layers with parameters, buffers and counters."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from twingrad.autodiff import Tensor
from twingrad.namespace import Array
from twingrad.nn.drawing import check_dtypes, drawn, like_on
from twingrad.nn.flat import FlatParameters, moved
from twingrad.nn.guarding import guard
from twingrad.nn.hidden import refuse_hidden
from twingrad.nn.parameter import Parameter
from twingrad.nn.rounded import widened
from twingrad.nn.state import fitting, load, state_of
from twingrad.nn.summary import sparsity, summary
from twingrad.precision import asked_for
from twingrad.random import DEFAULT_SEED, Counter
from twingrad.recording import current, refuse_while_recording


class Module:
    """A layer, or a network of them: assign parameters and modules to attributes, and write `forward`.

    Each to an attribute of its own: layers in a list or dict would not train, so that raises TypeError; `Sequential`
    holds many.
    Values are drawn, and all parameters gathered in one flat buffer, when the outermost module is first used. What is
    drawn for a parameter, and the masks of a dropout layer, depend on the outermost module's `seed` and on the path
    below it, such as "0.weight", and on nothing else: a layer that was only looked at before it joined a model is drawn
    again for its new place; one that was called, assigned to, loaded or trained keeps its values.

    >>> class Net(Module):
    ...     def __init__(self):
    ...         from twingrad import nn
    ...         self.hidden, self.out = nn.Linear(4, 8), nn.Linear(8, 2)
    ...     def forward(self, x):
    ...         from twingrad import functional as F
    ...         return self.out(F.relu(self.hidden(x)))
    >>> Net()(np.ones((3, 4), np.float32)).shape
    (3, 2)
    """

    training: bool = True
    seed: int = DEFAULT_SEED
    random_names: tuple[str, ...] = ()
    """The names of the random streams that this layer draws from, each below its path."""
    takes_integers: bool = False
    """Whether `fit`, `evaluate` and `predict` hand whole numbers on as they are, for an `Embedding` that looks them up;
    else they are cast to the dtype of the parameters. A Sequential goes by its first layer; a class of yours says so.
    """
    options: tuple[str, ...] = ()
    """The attributes, numbers, that `forward` reads of this layer: a captured step is refused where one has changed."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        self = super().__new__(cls)
        for name in ("_parameters", "_buffers", "_counters", "_modules"):
            object.__setattr__(self, name, {})
        object.__setattr__(self, "_parent", None)
        object.__setattr__(self, "_flat", None)
        object.__setattr__(self, "_ready", False)
        object.__setattr__(self, "path", "")
        return self

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes."""
        raise TypeError(f"{type(self).__name__} defines no forward(...)")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.enter()
        out = self.forward(*args, **kwargs)
        return widened(out) if asked_for() == "bf16" and self.root() is self else out

    def enter(self) -> None:
        """What a call does before `forward`: settle the values, and guard the step that is being captured."""
        if not self._ready:
            self.root()._settle()
        if current() is not None:
            guard(self)

    # -- the tree -----------------------------------------------------------------------------------------------------

    def root(self) -> Module:
        """The outermost module that holds this one."""
        module = self
        while (parent := module._parent and module._parent()) is not None:
            module = parent
        return module

    def modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module and all below it, each with its path."""
        yield prefix, self
        for name, child in self._modules.items():
            yield from child.modules(f"{prefix}.{name}" if prefix else name)

    def named_parameters(self) -> dict[str, Parameter]:
        """The parameters by path, in order; tied ones under each of their paths."""
        self._prepare()
        return dict(self._named("_parameters"))

    def parameters(self) -> list[Parameter]:
        """The parameters, each once."""
        return list(dict.fromkeys(self.named_parameters().values()))

    def counters(self) -> dict[str, Counter]:
        """The counters of random layers and of batches seen, by path: with the parameters and buffers, all state."""
        return dict(self._named("_counters"))

    def register_buffer(self, name: str, array: Array) -> None:
        """Keep `array` with the module: moved and saved with the parameters, not trained."""
        self._buffers[name] = array
        self._edited()

    def flat(self) -> FlatParameters:
        """The flat buffers of the outermost module."""
        root = self.root()
        root._prepare()
        return root._flat

    def materialise(self, like: Array | None = None) -> None:
        """Draw what is not drawn yet and gather all parameters in one flat buffer, as this module's own."""
        parameters = drawn(self)
        if like is None:
            like = parameters[0].data if parameters else np.zeros((), np.float32)
            check_dtypes(parameters)
        buffers = [(module, name, buffer) for _, module in self.modules() for name, buffer in module._buffers.items()]
        there = [moved(buffer, like, keep_integers=True) for _, _, buffer in buffers]
        self._flat = FlatParameters(parameters, like)
        for (module, name, _), buffer in zip(buffers, there, strict=True):
            module._buffers[name] = buffer

    # -- modes, moves and state ---------------------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Module:
        """Switch to training (batch statistics, dropout), or with False to evaluation, here and below; returns self."""
        if not isinstance(mode, bool):
            raise TypeError(f"train takes True for training or False for evaluation, got {mode!r}")
        refuse_while_recording(
            f"switching to {'train' if mode else 'eval'} mode",
            "a replay would leave it out; switch outside of the step",
        )
        for _, module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """Switch to evaluation (running statistics, no dropout), here and below; returns self."""
        return self.train(False)

    def to(self, device: str | None = None, *, dtype: Any = None, like: Array | None = None) -> Module:
        """Move parameters, gradients and buffers to `device`, or to the library, device and dtype of `like`.

        device: "cpu", "cuda", "cuda:1". dtype: a floating dtype. Optimizers follow at their next step; returns self.
        Raises DeviceError where the device cannot be used, before anything moves.
        """
        root = self.root()
        if root is not self:
            raise ValueError(f"move the whole model: {self.path!r} is part of a {type(root).__name__}")
        like = like.data if isinstance(like, Tensor) else like
        self.materialise(like_on(self, device, dtype) if like is None else like)
        return self

    def state_dict(self) -> dict[str, np.ndarray[Any, Any]]:
        """Parameters and buffers by path, under PyTorch's names and in its shapes: copies, as NumPy arrays."""
        refuse_while_recording("Module.state_dict()", "it reads values that change from replay to replay")
        self._prepare()
        return state_of(self)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Copy `state`, as `state_dict` gives it, into the parameters and buffers.

        Raises ValueError naming what is missing, unexpected or of another shape, and TypeError for dtypes that do not
        cast, before anything is written.
        """
        own = self.state_dict()
        load(self, fitting(type(self).__name__, state, own))

    def summary(self) -> str:
        """A table of the layers with their parameter counts, and in whose pass a layer runs that joins another's; below
        it, biases that do nothing, which stay where they are.
        """
        return summary(self)

    def joined(self) -> dict[str, str]:
        """The modules of this one that run in the pass of another, by their names: see `Sequential`."""
        return {}

    def useless_biases(self) -> dict[str, str]:
        """The layers of this module whose bias the one after them takes away, by their names: see `Sequential`."""
        return {}

    def sparsity(self) -> dict[str, float]:
        """The share of exact zeros in each parameter that decays (the weights), by path, and under "total" in them all.

        What an optimizer's `l1` is for: its threshold makes zeros, where a penalty's gradient only comes near.
        """
        refuse_while_recording("Module.sparsity()", "it reads values that change from replay to replay")
        self._prepare()
        return sparsity({path: p for p, path in self._unique().items() if p.decay and p.size})

    def describe(self) -> str:
        """The layer in one line, as `summary` shows it, and `repr` where it holds no others."""
        return type(self).__name__

    def __repr__(self) -> str:
        """The layer, or each of the modules below with its name, as PyTorch shows them."""
        if not self._modules:
            return self.describe()
        rows = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in self._modules.items()]
        return "\n  ".join([f"{type(self).__name__}(", *rows]) + "\n)"

    # -- attributes ---------------------------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        kind = next((kind for of, kind in _KINDS.items() if isinstance(value, of)), None)
        if kind is not None:
            self._put(kind, name, value)
        elif value is not None and name in self._parameters:
            self._prepare()
            self._parameters[name].assign(value)
        elif value is not None and (name in self._buffers or name in self._counters):
            refuse_while_recording(f"writing {name} of {self.describe()}", "a replay would leave it out")
            if name in self._counters:
                self._counters[name].value = value
            else:
                self._buffers[name][...] = value.data if isinstance(value, Tensor) else value
        else:
            self._refuse_hidden({name: value})
            self._take_out(name)
            object.__setattr__(self, name, value)
            if name == "seed":
                self._edited()

    def __delattr__(self, name: str) -> None:
        if not self._take_out(name):
            object.__delattr__(self, name)

    def __getattr__(self, name: str) -> Any:
        if name in self._parameters:
            self._prepare()
            if current() is not None:
                guard(self)
            return self._parameters[name]
        for kind in (self._buffers, self._modules, self._counters):
            if name in kind:
                return kind[name]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __getstate__(self) -> dict[str, Any]:
        self._prepare()
        return {k: v for k, v in self.__dict__.items() if k not in ("_parent", "_flat", "_ready")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for child in self._modules.values():
            object.__setattr__(child, "_parent", weakref.ref(self))

    # -- inside -------------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        root = self.root()
        if root._flat is None or not root._flat.valid:
            root.materialise()

    def _settle(self) -> None:
        """Keep the values from now on: this outermost module, or a part of it, is called."""
        self._prepare()
        for parameter in self._unique():
            parameter.origin = None
        for _, module in self.modules():
            object.__setattr__(module, "_ready", True)

    def _put(self, kind: str, name: str, value: Any) -> None:
        """Make `value` this module's parameter, module or counter `name`, in the place of what had the name before."""
        held = getattr(self, kind)
        if name not in held:
            if name == "path" or hasattr(type(self), name):
                raise ValueError(
                    f"{type(self).__name__} has an attribute {name!r} of its own, which would hide the "
                    f"{type(value).__name__} of that name; choose another"
                )
            if isinstance(value, Module) and any(module is self for _, module in value.modules()):
                raise ValueError(f"{type(self).__name__}.{name} would hold the module that it is part of")
            self._take_out(name)
            self.__dict__.pop(name, None)
        before = held.get(name)
        held[name] = value
        if kind == "_modules" and before is not None and before is not value:
            before._leave(self)
        if kind == "_modules":
            value._edited()
            object.__setattr__(value, "_parent", weakref.ref(self))
        self._edited()

    def _take_out(self, name: str) -> bool:
        """Forget the parameter, module, buffer or counter `name`; whether there was one."""
        kind = next((k for k in ("_parameters", "_modules", "_buffers", "_counters") if name in getattr(self, k)), None)
        if kind is None:
            return False
        gone = getattr(self, kind).pop(name)
        if kind == "_modules":
            gone._leave(self)
        self._edited()
        return True

    def _leave(self, parent: Module) -> None:
        """`parent` holds this module under one name less; under none it is no longer below it."""
        held = any(child is self for child in parent._modules.values())
        if not held and self._parent is not None and self._parent() is parent:
            object.__setattr__(self, "_parent", None)
        self._edited()

    def _edited(self) -> None:
        """The tree changed: gather the parameters anew at the next use."""
        root = self.root()
        if root._flat is not None:
            root._flat.valid = False
        for _, module in root.modules():
            object.__setattr__(module, "_ready", False)

    def _unique(self) -> dict[Parameter, str]:
        """The parameters, drawn or not, each with the first of its paths."""
        found: dict[Parameter, str] = {}
        for path, parameter in self._named("_parameters"):
            found.setdefault(parameter, path)
        return found

    def _refuse_hidden(self, attributes: Mapping[str, Any]) -> None:
        """Raise TypeError for layers or parameters in a list, tuple or dict, unless each is in the tree as well."""
        listed = {name: value for name, value in attributes.items() if isinstance(value, list | tuple | dict)}
        if listed:
            tree = {id(module) for _, module in self.modules()} | {id(value) for value in self._unique()}
            for name, value in listed.items():
                refuse_hidden(type(self).__name__, name, value, (Module, Parameter), tree)

    def _named(self, kind: str) -> Iterator[tuple[str, Any]]:
        for path, module in self.modules():
            for name, value in module.__dict__[kind].items():
                yield f"{path}.{name}" if path else name, value


_KINDS: dict[type, str] = {Parameter: "_parameters", Module: "_modules", Counter: "_counters"}
