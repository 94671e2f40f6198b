"""What a model says of raw examples."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad.autodiff import no_grad
from twingrad.data import Preprocessing
from twingrad.devices import computing_on
from twingrad.train.modes import mode
from twingrad.train.placement import device_of_model, placed_input, raw_inputs

CHUNK = 1024


def predict(model: Any, x: Any, *, names: tuple[str, ...] = ()) -> NDArray[Any]:
    """The model's answers for raw examples: classes (N,) int64, labels (N, K) of 0 and 1, or values (N, T) float64 in
    the targets' own units.

    x: an array (N, ...) or a `twingrad.data.Table`, as the model's preprocessing takes it; without one, what the
    network takes. names: of the columns of an array. A model without a preprocessing answers for
    the task that `fit` trained it on (`model.fitted_task`); one that was never fitted is one of classes.

    Raises ValueError for features that differ from the model's, TypeError for the name of a file. Warns where outputs
    are not finite, as for features that are NaN: what stands there is no answer.

    >>> import twingrad as tg
    >>> model = tg.nn.Sequential(tg.nn.Linear(64, 10), seed=0)
    >>> predict(model, tg.data.load("digits").x[:3]).shape
    (3,)
    """
    found, finite = [], []
    for outputs in outputs_of_batches(model, _chunks(model, x, names)):
        found.append(decided(outputs, model))
        finite.append(np.isfinite(outputs).all(axis=1))
    _warn(np.flatnonzero(~np.concatenate(finite)))
    return np.concatenate(found)


def predict_probabilities(model: Any, x: Any, *, names: tuple[str, ...] = ()) -> NDArray[np.float64]:
    """The probability of each class, or of each label: (N, C) float64; for a binary model (N, 2).

    Raises ValueError for a regression, and as `predict`.
    """
    found = [probabilities(outputs, model) for outputs in outputs_of_batches(model, _chunks(model, x, names))]
    return np.concatenate(found)


def outputs_of_batches(model: Any, batches: Iterable[Any]) -> Iterator[NDArray[Any]]:
    """The model's outputs (B, C) on the host for batches of its inputs (B, D), one after another; the mode stays."""
    for x in batches:
        with computing_on(device_of_model(model)), mode(model, training=False), no_grad():
            found = model(placed_input(model, x)).numpy()
        yield found


def probabilities(outputs: NDArray[Any], model: Any) -> NDArray[np.float64]:
    """softmax or sigmoid of the outputs, in float64; see `predict_probabilities`."""
    task, z = task_of(model), outputs.astype(np.float64)
    if task == "regression":
        raise ValueError("a regression has no probabilities")
    if task == "multi-label" or z.shape[1] == 1:
        e = np.exp(-np.abs(z))
        p: NDArray[np.float64] = np.where(z >= 0, 1.0, e) / (1.0 + e)
        return p if task == "multi-label" else np.concatenate([1.0 - p, p], axis=1)
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def decided(outputs: NDArray[Any], model: Any) -> NDArray[Any]:
    """Classes, labels or values; see `predict`."""
    task = task_of(model)
    if task == "regression":
        preprocessing: Preprocessing | None = getattr(model, "preprocessing", None)
        return outputs.astype(np.float64) if preprocessing is None else preprocessing.invert_targets(outputs)
    if task == "multi-label":
        return (outputs > 0).astype(np.int64)
    if outputs.shape[1] == 1:
        return np.asarray(outputs[:, 0] > 0, np.int64)
    return np.asarray(outputs.argmax(axis=1), np.int64)


def task_of(model: Any) -> str:
    """The task of the model's preprocessing; without one what `fit` learned, and "multi-class" before any `fit`."""
    preprocessing: Preprocessing | None = getattr(model, "preprocessing", None)
    if preprocessing is not None:
        return preprocessing.task
    return getattr(model, "fitted_task", None) or "multi-class"


def _warn(rows: NDArray[Any]) -> None:
    if rows.size:
        listed = ", ".join(map(str, rows[:5].tolist())) + ", ..." * (rows.size > 5)
        text = (
            f"predict: the model's outputs are not finite for {rows.size} examples (rows {listed}): no answer follows"
        )
        warnings.warn(text, stacklevel=3)


def _chunks(model: Any, x: Any, names: tuple[str, ...]) -> Iterator[Any]:
    if isinstance(x, str | os.PathLike):
        cure = "pass its rows, as tg.data.load(...).x, or run `twingrad predict RUN --data FILE`"
        raise TypeError(f"predict: x must be an array or a Table; got a file's name, {str(x)!r}: {cure}")
    for start in range(0, max(1, len(x)), CHUNK):
        yield raw_inputs(x[start : start + CHUNK], getattr(model, "preprocessing", None), names, start)
