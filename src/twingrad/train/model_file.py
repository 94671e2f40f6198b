"""A model as one safetensors file that rebuilds its network and the preprocessing of its inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twingrad.data import Preprocessing
from twingrad.data.files import missing
from twingrad.train.architecture import build, describe
from twingrad.train.atomic import write_atomic
from twingrad.train.sealed import seal, unseal

MODEL = "model.safetensors"
BEST = "best.safetensors"
KIND, FORMAT = "model", 2


def model_bytes(model: Any, state: dict[str, Any] | None = None) -> bytes:
    """The model's arrays under their `state_dict` names, and as metadata what rebuilds it: the same bytes every time.

    The sealed metadata hold the architecture (null where the model is not a Sequential of twingrad's layers), the
    preprocessing (null where `model.preprocessing` is None or missing) and the task that `fit` trained it on.
    state: these arrays instead of the model's own.
    """
    preprocessing = getattr(model, "preprocessing", None)
    about = preprocessing.to_dict() if preprocessing else None
    header = {"architecture": describe(model), "preprocessing": about, "task": getattr(model, "fitted_task", None)}
    return seal(KIND, FORMAT, model.state_dict() if state is None else state, header)


def save_model(model: Any, path: str | Path) -> None:
    """Write a model file, whole or not at all."""
    write_atomic(Path(path), model_bytes(model))


def load_model(path: str | Path) -> Any:
    """The model of a run folder, or of a model file: rebuilt on the CPU, in evaluation mode.

    `model.preprocessing` is what makes its inputs of raw data, or None. A run that has not ended yet gives the best
    model so far.

    Raises:
        OSError: there is no such file or folder (suggests the nearest).
        ValueError: it is damaged, not twingrad's, of another format version, or holds no architecture (build the model
            yourself then, and `load_state_dict` what `safetensors.numpy.load_file` reads).
    """
    file = _file(Path(path))
    arrays, header = unseal(file, KIND, FORMAT)
    if header["architecture"] is None:
        raise ValueError(
            f"{file} holds arrays but no architecture: build the model yourself, then "
            "model.load_state_dict(safetensors.numpy.load_file(path))"
        )
    model: Any = build(header["architecture"])
    dtypes = {array.dtype for array in arrays.values() if array.dtype.kind == "f"}
    model = model.to(dtype=dtypes.pop()) if len(dtypes) == 1 else model
    model.load_state_dict(arrays)
    about = header["preprocessing"]
    model.preprocessing = Preprocessing.from_dict(about) if about else None
    model.fitted_task = header.get("task")
    return model.eval()


def _file(path: Path) -> Path:
    if not path.exists():
        raise missing("run folder or model file", path)
    if not path.is_dir():
        return path
    found = [path / name for name in (MODEL, BEST) if (path / name).exists()]
    if not found:
        raise FileNotFoundError(f"folder {path} holds no {MODEL}: it is no run folder, or its run has not got that far")
    return found[0]
