"""What a run was asked for, as plain data: a checkpoint goes on only in a run of the same configuration."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from twingrad.data import Dataset, Table
from twingrad.data.augmenting import Augment
from twingrad.data.augmenting import described as described_augment
from twingrad.devices import device_of
from twingrad.optim.schedules import Function, Warmup, described
from twingrad.train.architecture import describe
from twingrad.train.callbacks import Callback, EarlyStopping
from twingrad.train.objective import Objective
from twingrad.train.placement import first_parameter
from twingrad.train.plan import Plan

ROWS = 1000
"""So many examples, evenly spread, enter the fingerprint of a data set; of its targets all."""


def configuration(
    model: Any,
    optimizer: Any,
    objective: Objective,
    plan: Plan,
    parts: dict[str, Any],
    weights: dict[str, Any],
    callbacks: Sequence[Callback],
    augment: Augment | None = None,
) -> dict[str, Any]:
    """Everything that decides the bits of a run, and can be told; as JSON gives it back."""
    parameter = first_parameter(model)
    found = {
        "model": describe(model) or {name: list(p.shape) for name, p in model.named_parameters().items()},
        "dtype": str(parameter.dtype),
        "device": str(device_of(parameter.data)).partition(":")[0],
        "task": objective.task,
        "loss": objective.name,
        "optimizer": {"name": type(optimizer).__name__, **hyperparameters(optimizer)},
        "parameters": {name: told for name, p in model.named_parameters().items() if (told := _unusual(p))},
        "training": plan.to_dict(),
        "early_stopping": [each.patience for each in callbacks if isinstance(each, EarlyStopping)],
        "augment": described_augment(augment),
        "preprocessing": objective.preprocessing.to_dict() if objective.preprocessing else None,
        "data": {name: fingerprint(part) for name, part in parts.items()},
        "weights": {name: None if array is None else _hash(np.asarray(array)) for name, array in weights.items()},
    }
    plain: dict[str, Any] = json.loads(json.dumps(found))
    return plain


def _unusual(parameter: Any) -> dict[str, Any]:
    """What was set of a parameter, beside its value."""
    usual = {"requires_grad": True, "lr_scale": 1.0, "decay": len(parameter.shape) > 1}
    return {name: getattr(parameter, name) for name, value in usual.items() if getattr(parameter, name) != value}


def hyperparameters(optimizer: Any) -> dict[str, Any]:
    """What an optimizer was made with; of a function as learning rate, or in its schedule, its name."""
    return {"lr": _told(optimizer.lr)} | {name: getattr(optimizer, name) for name in optimizer.options}


def _told(lr: Any) -> Any:
    kept = described(lr)
    if kept is not None:
        return kept
    if isinstance(lr, Function | Warmup):
        given = {field.name: getattr(lr, field.name) for field in dataclasses.fields(lr)}
        fields = {name: _told(value) if callable(value) else value for name, value in given.items()}
        return {"schedule": type(lr).__name__, **fields}
    return getattr(lr, "__qualname__", type(lr).__qualname__)


def fingerprint(data: Any) -> Any:
    """Name, count and a hash of a data set, of all targets and up to a thousand examples; None for other batches."""
    if not isinstance(data, Dataset):
        return None
    rows = np.unique(np.linspace(0, len(data) - 1, min(ROWS, len(data))).astype(np.int64))
    x = data.take(rows).x
    columns = x.columns if isinstance(x, Table) else [np.asarray(x[:])]
    told = [_hash(column) if isinstance(column, np.ndarray) else _hash_of_text(column) for column in columns]
    together = hashlib.sha256("".join([_hash(data.y), *told]).encode()).hexdigest()[:16]
    return {"name": data.name, "examples": len(data), "hash": together}


def _hash_of_text(column: Any) -> str:
    return _hash(np.array([column.values[code] for code in column.codes]))


def _hash(array: np.ndarray[Any, Any]) -> str:
    about = f"{array.dtype.str}{array.shape}".encode()
    return hashlib.sha256(about + np.ascontiguousarray(array).tobytes()).hexdigest()
