"""Where a model lives and what it can take: data are moved and cast once, and checked before anything happens."""

from __future__ import annotations

from typing import Any

from twingrad import backends
from twingrad.autodiff import no_grad
from twingrad.data import Dataset, check_labels
from twingrad.devices import Device, device_of
from twingrad.train.modes import mode


def device_of_model(model: Any) -> Device:
    """The device of the model's parameters."""
    return device_of(_first_parameter(model).data)


def place(model: Any, data: Dataset) -> tuple[Any, Any]:
    """x (N, D) in the model's dtype and y (N,) int64, both on the model's device."""
    parameter = _first_parameter(model)
    backend = backends.get(device_of(parameter.data))
    return backend.asarray(data.x, dtype=parameter.dtype), backend.asarray(data.y)


def check_fit(model: Any, data: Dataset) -> None:
    """Raise a ValueError unless the model takes the features of `data` and has an output for each of its labels."""
    if not len(data):
        raise ValueError(f"data set {data.name!r} holds no examples")
    x, _ = place(model, data.take(slice(0, 1)))
    try:
        with mode(model, training=False), no_grad():
            logits = model(x)
    except ValueError as error:
        raise ValueError(
            f"data set {data.name!r} ({data.x.shape[1]} features) does not suit the model: {error}"
        ) from error
    if logits.ndim != 2:
        raise ValueError(f"the model must return logits (N, C); for one example it returns shape {logits.shape}")
    check_labels(data.y, logits.shape[1], f"data set {data.name!r}, and a model of {logits.shape[1]} outputs")


def _first_parameter(model: Any) -> Any:
    for parameter in model.parameters():
        return parameter
    raise ValueError(f"the model ({type(model).__name__}) has no parameters")
