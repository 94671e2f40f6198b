"""All that a run is, in one file: from it the run goes on as if nothing had happened."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from twingrad.train.history import Record
from twingrad.train.sealed import Arrays, seal, unseal

LAST = "last.safetensors"
KIND, FORMAT = "checkpoint", 1
HOLD_ARRAYS = ("optimizer", "callbacks")
"""What may hold arrays at any depth."""
SHOWN, AROUND = 60, 20
"""So many characters of a value at most enter a message; and so many before the first difference of long ones."""


@dataclass
class Checkpoint:
    """The state of a run between two steps.

    configuration: what the run was asked for; a run of another one cannot go on from here.
    epoch, batch, step: of the next step: its epoch from 1, the batches of that epoch and the updates done before it.
    stopped: whether a callback ended the run. lr: the learning rate of the last update.
    counters: the model's, by path. model, best: state dicts, of now and of the best evaluation (empty before any).
    running: the sum of the losses since the last evaluation, and of how many examples.
    optimizer: its state dict. callbacks: a state for each callback. records: the history.

    In the file, arrays stand under "model.", "best.", "optimizer." and "callbacks."; all else is JSON in the
    sealed metadata.
    """

    configuration: dict[str, Any]
    epoch: int
    batch: int
    step: int
    stopped: bool
    lr: float
    running: list[Any]
    counters: dict[str, int]
    model: Arrays
    optimizer: dict[str, Any]
    best: Arrays = field(default_factory=dict)
    callbacks: list[Any] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)

    def to_bytes(self) -> bytes:
        """The file: the same bytes for the same state."""
        arrays: Arrays = {f"{kind}.{name}": a for kind in ("model", "best") for name, a in getattr(self, kind).items()}
        plain = ("configuration", "epoch", "batch", "step", "stopped", "lr", "running", "counters")
        header = {name: getattr(self, name) for name in plain}
        for name in HOLD_ARRAYS:
            header[name] = _without_arrays(getattr(self, name), name, arrays)
        header["records"] = [record.to_dict() for record in self.records]
        return seal(KIND, FORMAT, arrays, header)

    @classmethod
    def read(cls, file: Path) -> Checkpoint:
        """The checkpoint in a file.

        Raises:
            OSError: there is no such file.
            ValueError: it is damaged, of another kind, or of another format version.
        """
        arrays, header = unseal(file, KIND, FORMAT)
        for name in ("kind", "format"):
            del header[name]
        for name in HOLD_ARRAYS:
            header[name] = _with_arrays(header[name], arrays)
        header["records"] = [Record.from_dict(record) for record in header["records"]]
        parts: dict[str, Arrays] = {"model": {}, "best": {}}
        for name, array in arrays.items():
            kind, _, rest = name.partition(".")
            if kind in parts:
                parts[kind][rest] = array
        return cls(**header, model=parts["model"], best=parts["best"])


def differences(there: Any, here: Any, name: str = "") -> list[str]:
    """Where two configurations differ, each as "name was ... and is ..."."""
    if isinstance(there, dict) and isinstance(here, dict):
        names = list(dict.fromkeys([*there, *here]))
        pairs = ((key, there.get(key), here.get(key)) for key in names)
        return [text for key, old, new in pairs for text in differences(old, new, f"{name}.{key}" if name else key)]
    if there == here:
        return []
    old, new = json.dumps(there), json.dumps(here)
    same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))
    start = same - AROUND if same > SHOWN - AROUND else 0
    return [f"{name} was {_short(old, start)} and is {_short(new, start)}"]


def _short(text: str, start: int) -> str:
    """At most `SHOWN` characters of it, from about `start` on."""
    if len(text) <= SHOWN:
        return text
    shown = f"...{text[start + 3 :]}" if start else text
    return shown if len(shown) <= SHOWN else f"{shown[: SHOWN - 3]}..."


def _without_arrays(value: Any, path: str, arrays: Arrays) -> Any:
    """`value` as JSON can hold it, its arrays put under their paths."""
    if isinstance(value, np.ndarray):
        arrays[path] = value
        return {"array": path}
    if isinstance(value, dict):
        return {str(key): _without_arrays(item, f"{path}.{key}", arrays) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_arrays(item, f"{path}.{number}", arrays) for number, item in enumerate(value)]
    return value.item() if isinstance(value, np.generic) else value


def _with_arrays(value: Any, arrays: Arrays) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"array"} and value["array"] in arrays:
            return arrays[value["array"]]
        return {key: _with_arrays(item, arrays) for key, item in value.items()}
    return [_with_arrays(item, arrays) for item in value] if isinstance(value, list) else value
