"""`Module`: a tree of layers with parameters, buffers and counters."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from twingrad import backends, devices
from twingrad.autodiff import Tensor
from twingrad.namespace import Array, backend_of
from twingrad.nn.flat import FlatParameters, moved
from twingrad.nn.parameter import Parameter
from twingrad.random import DEFAULT_SEED, Counter, stream_of
from twingrad.recording import current


class Module:
    """A layer, or a network of them: assign parameters and modules to attributes, and write `forward`.

    Values are drawn, and all parameters gathered in one flat buffer, when the outermost module is first used. What is
    drawn for a parameter, and the masks of a dropout layer, depend on the outermost module's `seed` and on the path
    below it, such as "0.weight", and on nothing else.

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
        if not self._ready:
            self.root().materialise()
        if current() is not None:
            self._guard()
        return self.forward(*args, **kwargs)

    # -- the tree -----------------------------------------------------------------------------------------------------

    def root(self) -> Module:
        """The outermost module that holds this one."""
        module = self
        while module._parent is not None and module._parent() is not None:
            module = module._parent()
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

    def flat(self) -> FlatParameters:
        """The flat buffers of the outermost module."""
        root = self.root()
        if not root._ready:
            root.materialise()
        return root._flat  # type: ignore[no-any-return]

    def materialise(self, like: Array | None = None) -> None:
        """Draw what is not drawn yet and gather all parameters in one flat buffer, as this module's own."""
        self._name_streams()
        for path, parameter in self._named("_parameters"):
            if parameter.data is None:
                drawn = parameter.draw(parameter.shape, seed=self.seed, stream=stream_of(path))
                parameter.data = drawn.astype(parameter.dtype)
        parameters = list(dict.fromkeys(p for _, p in self._named("_parameters")))
        if like is None:
            like = parameters[0].data if parameters else np.zeros((), np.float32)
            self._check_dtypes(parameters)
        self._flat = FlatParameters(parameters, like)
        for _, module in self.modules():
            object.__setattr__(module, "_ready", True)
            for name, buffer in module._buffers.items():
                module._buffers[name] = moved(buffer, like)

    # -- modes, moves and state ---------------------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Module:
        """Switch to training (batch statistics, dropout), here and below; returns self."""
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
        self._prepare()
        here = self._flat.theta
        if like is None and backend_of(here) is None and device is None:
            raise TypeError("this model's arrays are of another library; give `like`, an array of the wanted kind")
        if like is None:
            target = devices.resolve(device) if device is not None else devices.device_of(here)
            like = backends.get(target).zeros_aligned(0, here.dtype if dtype is None else dtype)
        self.materialise(like)
        return self

    def state_dict(self) -> dict[str, np.ndarray[Any, Any]]:
        """Parameters and buffers by path, under PyTorch's names and in its shapes: copies, as NumPy arrays."""
        self._prepare()
        found: dict[str, Any] = {}
        for path, module in self.modules():
            own = {**module._parameters, **module._buffers}
            if "num_batches_tracked" in module._counters:
                own["num_batches_tracked"] = np.asarray(module._counters["num_batches_tracked"].value, np.int64)
            for name, value in own.items():
                found[f"{path}.{name}" if path else name] = _host_copy(value)
        return found

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Copy `state`, as `state_dict` gives it, into the parameters and buffers.

        Raises ValueError naming what is missing, unexpected or of another shape, before anything is written.
        """
        own = self.state_dict()
        missing, unexpected = own.keys() - state.keys(), state.keys() - own.keys()
        if missing or unexpected:
            raise ValueError(
                f"the state does not fit this {type(self).__name__}: "
                f"missing {_listed(missing)}; unexpected {_listed(unexpected)}"
            )
        arrays = {name: np.asarray(value) for name, value in state.items()}
        for name, array in arrays.items():
            if array.shape != own[name].shape:
                raise ValueError(f"{name} has shape {own[name].shape} in the model and {array.shape} in the state")
        for path, module in self.modules():
            module._load(path, arrays)

    def summary(self) -> str:
        """A table of the layers with their parameter counts."""
        rows = [(path or "model", module.describe(), module._own_size()) for path, module in self.modules()]
        rows = [row for row in rows if row[0] != "model" or not self._modules]
        total = sum(p.size for p in self.parameters())
        widths = [max(len(str(row[i])) for row in [*rows, ("layer", "", "parameters")]) for i in range(3)]
        lines = [f"{'layer':{widths[0]}}  {'':{widths[1]}}  {'parameters':>{widths[2]}}"]
        lines += [f"{a:{widths[0]}}  {b:{widths[1]}}  {c:>{widths[2]},}" for a, b, c in rows]
        return "\n".join([*lines, f"{'total':{widths[0]}}  {'':{widths[1]}}  {total:>{widths[2]},}"])

    def describe(self) -> str:
        """The layer in one line, as `summary` and `repr` show it."""
        return type(self).__name__

    def __repr__(self) -> str:
        return self.describe()

    # -- attributes ---------------------------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Parameter):
            self._parameters[name] = value
            self._edited()
        elif isinstance(value, Module):
            self._modules[name] = value
            object.__setattr__(value, "_parent", weakref.ref(self))
            self._edited()
        elif isinstance(value, Counter):
            self._counters[name] = value
        elif name in self._parameters:
            self._prepare()
            self._parameters[name].assign(value)
        elif name in self._buffers:
            self._buffers[name][...] = value.data if isinstance(value, Tensor) else value
        else:
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        if name in self._parameters:
            self._prepare()
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
        if not self._ready:
            self.root().materialise()

    def _edited(self) -> None:
        """The tree changed: gather the parameters anew at the next use."""
        root = self.root()
        if root._flat is not None:
            root._flat.valid = False
        for _, module in root.modules():
            object.__setattr__(module, "_ready", False)

    def _named(self, kind: str) -> Iterator[tuple[str, Any]]:
        for path, module in self.modules():
            for name, value in module.__dict__[kind].items():
                yield f"{path}.{name}" if path else name, value

    def _name_streams(self) -> None:
        """Tell each module its path, and make sure that no two random streams are the same."""
        streams: dict[int, str] = {}
        for path, module in self.modules():
            object.__setattr__(module, "path", path)
            for name in (*module._parameters, *module.random_names):
                full = f"{path}.{name}" if path else name
                other = streams.setdefault(stream_of(full), full)
                if other != full:
                    raise ValueError(f"{other!r} and {full!r} would draw the same random numbers; rename one of them")

    def _check_dtypes(self, parameters: list[Parameter]) -> None:
        dtypes = sorted({str(p.dtype) for p in parameters})
        if len(dtypes) > 1:
            raise TypeError(
                f"the parameters of a model share one dtype, got {' and '.join(dtypes)}; "
                "give the layers one dtype, or call model.to(dtype=...)"
            )

    def _load(self, path: str, arrays: Mapping[str, Any]) -> None:
        prefix = f"{path}." if path else ""
        for name, parameter in self._parameters.items():
            parameter.assign(moved(arrays[prefix + name], parameter.data))
        for name, buffer in self._buffers.items():
            buffer[...] = moved(arrays[prefix + name], buffer)
        if "num_batches_tracked" in self._counters:
            self._counters["num_batches_tracked"].value = int(arrays[prefix + "num_batches_tracked"])

    def _own_size(self) -> int:
        return sum(p.size for p in self._parameters.values())

    def _guard(self) -> None:
        """Have a captured step check that this module is in the same mode, and put its buffers back on failure."""
        recording = current()
        assert recording is not None
        if self in recording.seen:
            return
        recording.seen.add(self)
        self.flat().guard()
        mode = self.training
        changed = f"{self.path or 'the model'} is no longer in {'train' if mode else 'eval'} mode"
        recording.guards.append(lambda: None if self.training == mode else changed)
        for buffer in self._buffers.values():
            recording.undo.append(functools.partial(_write, buffer, _host_copy(buffer)))


def _host_copy(value: Any) -> np.ndarray[Any, Any]:
    array = value.data if isinstance(value, Tensor) else value
    if backend_of(array) is None:
        array = np.from_dlpack(array)
    return np.array(backends.get(devices.device_of(array)).to_numpy(array), copy=True)


def _write(buffer: Array, value: Any) -> None:
    buffer[...] = moved(value, buffer)


def _listed(names: Any) -> str:
    return ", ".join(sorted(names)) or "nothing"
