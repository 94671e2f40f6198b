"""Where a model lives and what it can take: data are moved and cast once, and checked before anything happens."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad import backends
from twingrad.autodiff import no_grad
from twingrad.data import Dataset, Preprocessing, Table, check_labels
from twingrad.data.rows import Rows, chunks
from twingrad.devices import Device, device_of
from twingrad.namespace import backend_of
from twingrad.train.modes import mode


def device_of_model(model: Any) -> Device:
    """The device of the model's parameters."""
    return device_of(first_parameter(model).data)


def lies_on(model: Any, device: str) -> bool:
    """Whether the whole model has its flat buffers on `device`, so that nothing need move."""
    theta, _ = model.flat().buffers()
    return model.root() is model and backend_of(theta) is not None and device_of(theta) == device


def placed(model: Any, array: Any, *, keep_integers: bool = False) -> Any:
    """`array` on the model's device and in its dtype; with keep_integers whole numbers stay what they are."""
    parameter = first_parameter(model)
    keep = keep_integers and array.dtype.kind in "iub"
    return backends.get(device_of(parameter.data)).asarray(array, dtype=None if keep else parameter.dtype)


def input_dtype(model: Any, x: Any) -> Any:
    """What the model's inputs are cast to: the dtype of its parameters, or int64 for whole numbers that it looks up."""
    return np.int64 if model.takes_integers and x.dtype.kind in "iub" else np.dtype(first_parameter(model).dtype)


def placed_input(model: Any, x: Any) -> Any:
    """Inputs of the model, an array or lists of numbers, on its device."""
    x = x if hasattr(x, "dtype") else np.asarray(x)
    return backends.get(device_of_model(model)).asarray(x, dtype=input_dtype(model, x))


def on_disk(data: Dataset) -> bool:
    """Whether x is memory-mapped, so that it may be larger than memory."""
    return isinstance(data.x, np.memmap | Rows)


def raw_inputs(
    x: Any, preprocessing: Preprocessing | None, names: tuple[str, ...] = (), first: int | None = None
) -> Any:
    """The numbers that the network sees of raw examples; first: as in `Preprocessing.apply`."""
    if preprocessing is not None:
        return preprocessing.apply(x, names, first)
    if isinstance(x, Table):
        raise ValueError('the data hold text: let fit(preprocessing="auto") encode it')
    return x


def outputs_of(model: Any, data: Dataset, preprocessing: Preprocessing | None) -> int:
    """How many outputs the model gives for the examples of `data`.

    Raises:
        ValueError: no examples, or features that do not suit the model.
    """
    if not len(data):
        raise ValueError(f"data set {data.name!r} holds no examples")
    first = data.take(_extremes(data.x) if model.takes_integers and not isinstance(data.x, Table) else slice(0, 1))
    try:
        x = raw_inputs(first.x[:], preprocessing, tuple(data.feature_names))
        with mode(model, training=False), no_grad():
            outputs = model(placed_input(model, x))
    except ValueError as error:
        raise ValueError(
            f"data set {data.name!r} ({data.features} features) does not suit the model: {error}"
        ) from error
    found = f"shape {outputs.shape}" if hasattr(outputs, "shape") else f"a {type(outputs).__name__}"
    if len(getattr(outputs, "shape", ())) != 2:
        raise ValueError(f"the model must return outputs (N, C); for one example it returns {found}")
    return int(outputs.shape[1])


def _extremes(x: Any) -> NDArray[np.int64]:
    """The rows of each chunk with its smallest and its largest number: an Embedding that lacks one tells it now."""
    rows = []
    for part in chunks(x):
        values = x[part].reshape(part.stop - part.start, -1)
        rows += [part.start + values.min(axis=1).argmin(), part.start + values.max(axis=1).argmax()]
    return np.asarray(rows, np.int64)


def check_outputs(data: Dataset, outputs: int) -> None:
    """Raise a ValueError unless so many outputs suit the task and the labels of `data`."""
    who = f"data set {data.name!r}, and a model of {outputs} outputs"
    if data.task in ("binary", "multi-class") and outputs > 1:
        check_labels(data.y, outputs, who)
    elif data.outputs != outputs:
        raise ValueError(f"{who}: a {data.task} task of this data set needs {data.outputs}")


def check_targets(task: str, outputs: int, y: Any, who: str) -> None:
    """Raise a ValueError unless the targets of a batch lie where the loss takes them: a replay does not look."""
    if task in ("binary", "multi-class") and y.ndim == 1 and y.dtype.kind in "iu":
        check_labels(y, max(2, outputs), who)
    elif task in ("binary", "multi-label") and ((y < 0) | (y > 1)).any():
        row = int(np.argwhere((y < 0) | (y > 1))[0][0])
        raise ValueError(f"{who}: labels must lie in [0, 1]; row {row} holds {y[row]}")


def first_parameter(model: Any) -> Any:
    """Any parameter: all share device and dtype."""
    for parameter in model.parameters():
        return parameter
    raise ValueError(f"the model ({type(model).__name__}) has no parameters")
