"""The state of an optimizer as host arrays, by the paths of its parameters; checked as a whole before a write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from twingrad.nn import Parameter
from twingrad.nn.flat import moved
from twingrad.nn.state import host_copy
from twingrad.optim import schedules

if TYPE_CHECKING:
    from twingrad.optim.optimizer import Optimizer

PARTS = {"optimizer", "hyperparameters", "steps_taken", "epoch_began", "steps", "state"}


def gathered(optimizer: Optimizer) -> dict[str, Any]:
    """What `Optimizer.state_dict` gives."""
    paths = _paths(optimizer)
    return {
        "optimizer": type(optimizer).__name__,
        "hyperparameters": _rate_of(optimizer) | {name: getattr(optimizer, name) for name in optimizer.options},
        "steps_taken": optimizer.steps_taken,
        "epoch_began": list(optimizer._epoch_began),
        "steps": {path: optimizer.steps_of(parameter) for path, parameter in paths.items()},
        "state": {
            name: {path: host_copy(_view(optimizer, array, parameter)) for path, parameter in paths.items()}
            for name, array in optimizer.state.items()
        },
    }


def load(optimizer: Optimizer, state: Mapping[str, Any]) -> None:
    """Write `state` into the optimizer; see `Optimizer.load_state_dict`."""
    name = type(optimizer).__name__
    _same_names(f"the parts of the state of {name}", PARTS, state)
    if state["optimizer"] != name:
        raise ValueError(f"the state is of {state['optimizer']}, and this optimizer is {name}")
    twin, paths = _twin(optimizer, state["hyperparameters"]), _paths(optimizer)
    _same_names(f"the steps of {name}", paths, state["steps"])
    counts = {path: _count(f"the steps of {path}", value) for path, value in state["steps"].items()}
    taken = _count("steps_taken", state["steps_taken"])
    steps, epochs = _two("epoch_began", state["epoch_began"])
    _same_names(f"the moments of {name}", optimizer.state, state["state"])
    arrays = {moment: _fitting(f"{moment} of {name}", paths, given) for moment, given in state["state"].items()}
    for option in ("lr", *optimizer.options):
        setattr(optimizer, option, getattr(twin, option))
    optimizer.steps_taken, optimizer._epoch_began = taken, (steps, epochs)
    optimizer._plan.load((parameter.segment, counts[path]) for path, parameter in paths.items())
    for path, parameter in paths.items():
        for moment, given in arrays.items():
            view = _view(optimizer, optimizer.state[moment], parameter)
            view[...] = moved(given[path], view)


def _paths(optimizer: Optimizer) -> dict[str, Parameter]:
    """The parameters, each under the first of its paths."""
    first: dict[Parameter, str] = {}
    for path, parameter in optimizer._model.named_parameters().items():  # type: ignore[union-attr]
        first.setdefault(parameter, path)
    return {path: parameter for parameter, path in first.items()}


def _view(optimizer: Optimizer, array: Any, parameter: Parameter) -> Any:
    offset, length = optimizer._flat.segments[parameter.segment].tolist()  # type: ignore[union-attr]
    return array[offset : offset + length].reshape(parameter.shape)


def _rate_of(optimizer: Optimizer) -> dict[str, Any]:
    lr = schedules.described(optimizer.lr)
    return {} if lr is None else {"lr": lr}


def _twin(optimizer: Optimizer, hyperparameters: Mapping[str, Any]) -> Optimizer:
    """An optimizer of the same class with these hyperparameters, which its constructor checks."""
    name, lr = type(optimizer).__name__, None
    if isinstance(hyperparameters, Mapping):
        hyperparameters = dict(hyperparameters)
        lr = hyperparameters.pop("lr", None)
    _same_names(f"the hyperparameters of {name}", optimizer.options, hyperparameters)
    if lr is None and not callable(optimizer.lr):
        raise ValueError(f"the state is of a {name} whose learning rate was a function; give this one a function too")
    rate = schedules.from_dict(lr) if isinstance(lr, Mapping) else optimizer.lr if lr is None else lr
    twin = type(optimizer)(lr=rate, **hyperparameters)
    if twin.state_names != optimizer.state_names:
        raise ValueError(
            f"the state is of a {name} with the moments {', '.join(twin.state_names) or 'none'}, this one has "
            f"{', '.join(optimizer.state_names) or 'none'}: make it with the same options"
        )
    return twin


def _fitting(what: str, paths: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    _same_names(what, paths, given)
    arrays = {path: np.asarray(value) for path, value in given.items()}
    for path, array in arrays.items():
        if array.shape != paths[path].shape:
            raise ValueError(
                f"{what}: {path} has shape {paths[path].shape} in the model and {array.shape} in the state"
            )
        if array.dtype.kind != "f":
            raise TypeError(f"{what}: {path} has dtype {array.dtype} in the state; moments are floating numbers")
    return arrays


def _two(what: str, given: Any) -> list[int]:
    if not isinstance(given, Sequence) or len(given) != 2:
        raise ValueError(f"{what} must be two integers, steps and epochs; got {given!r}")
    return [_count(what, value) for value in given]


def _count(what: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
        raise ValueError(f"{what} must be an integer of at least 0, got {value!r}")
    return int(value)


def _same_names(what: str, own: Any, given: Any) -> None:
    if not isinstance(given, Mapping):
        raise TypeError(f"{what} must be a dict, as state_dict gives it; got {type(given).__name__}")
    missing, unexpected = set(own) - set(given), set(given) - set(own)
    if missing or unexpected:
        listed = (", ".join(sorted(names)) or "nothing" for names in (missing, unexpected))
        raise ValueError(f"{what} do not fit: missing {next(listed)}; unexpected {next(listed)}")
