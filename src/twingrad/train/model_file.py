"""A model as one safetensors file that rebuilds its network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from twingrad.data import Dataset
from twingrad.train.architecture import build, describe
from twingrad.train.atomic import write_atomic

MODEL = "model.safetensors"
FORMAT = 1
KEY = "twingrad"  # the one key of the metadata: safetensors writes several in an order that changes from run to run


def model_bytes(model: Any, data: Dataset | None = None) -> bytes:
    """The model's arrays under their `state_dict` names, and as metadata what rebuilds it: the same bytes every time.

    The metadata hold one key, "twingrad": JSON with the format version, the architecture (null where the model is not a
    Sequential of twingrad's layers), and the name, feature count and classes of the training data.
    """
    about = {"name": data.name, "features": data.x.shape[1], "classes": list(data.classes)} if data else None
    header = {"format": FORMAT, "architecture": describe(model), "data": about}
    # in C order, because safetensors 0.8 writes any other wrongly without a word
    arrays = {name: np.asarray(value, order="C") for name, value in model.state_dict().items()}
    return save_arrays(arrays, {KEY: json.dumps(header, sort_keys=True)})


def save_model(model: Any, path: str | Path, data: Dataset | None = None) -> None:
    """Write a model file, whole or not at all."""
    write_atomic(Path(path), model_bytes(model, data))


def load_model(path: str | Path) -> Any:
    """The model of a run folder, or of a model file: rebuilt on the CPU, in evaluation mode.

    Raises:
        OSError: there is no such file.
        ValueError: it is damaged, not twingrad's, of another format version, or holds no architecture (build the model
            yourself then, and `load_state_dict` what `safetensors.numpy.load_file` reads).
    """
    file = Path(path) / MODEL if Path(path).is_dir() else Path(path)
    content = file.read_bytes()
    try:
        arrays = load_arrays(content)
    except SafetensorError as error:
        raise ValueError(f"{file} is not a whole safetensors file: {error}") from error
    model: Any = build(_architecture(content, file))
    dtypes = {array.dtype for array in arrays.values() if array.dtype.kind == "f"}
    model = model.to(dtype=dtypes.pop()) if len(dtypes) == 1 else model
    model.load_state_dict(arrays)
    return model.eval()


def _architecture(content: bytes, file: Path) -> dict[str, Any]:
    size = int.from_bytes(content[:8], "little")
    metadata = json.loads(content[8 : 8 + size]).get("__metadata__", {})
    if KEY not in metadata:
        raise ValueError(f"{file} is not a model file of twingrad's: its metadata lack the key {KEY!r}")
    header = json.loads(metadata[KEY])
    if header["format"] != FORMAT:
        raise ValueError(f"{file} has format version {header['format']}; this twingrad reads version {FORMAT}")
    if header["architecture"] is None:
        raise ValueError(
            f"{file} holds arrays but no architecture: build the model yourself, then "
            "model.load_state_dict(safetensors.numpy.load_file(path))"
        )
    found: dict[str, Any] = header["architecture"]
    return found
