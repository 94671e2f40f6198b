"""The model that `evaluate`, `predict` and `gradcheck` load, and the files of its run."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np

from twingrad.cli import recipe
from twingrad.cli.parser import Options
from twingrad.data import Dataset
from twingrad.devices import resolve
from twingrad.train import load_model
from twingrad.train.run_folder import CONFIG


def loaded(options: Options) -> Any:
    """The model of a run, on the device that was asked for.

    Raises:
        OSError, ValueError: as `load_model`; a model whose numbers are not finite, so that all that it says is nothing.
    """
    device = options.given().get("device", "auto")
    model = load_model(options.run)
    for name, array in model.state_dict().items():
        if not np.isfinite(array).all():
            raise ValueError(f"{options.run} holds a model that diverged: {name} is not finite; train it anew")
    return model.to(resolve(device))


def beside(run: str, name: str) -> Path | None:
    """The file of that name in a run folder, or beside a model file; None where there is none."""
    folder = Path(run) if Path(run).is_dir() else Path(run).parent
    return folder / name if (folder / name).is_file() else None


def config_of(run: str) -> Path | None:
    """The configuration of a run; None without one, and where what lies beside a model file is another program's."""
    file = beside(run, CONFIG)
    if file is None or Path(run).is_dir():
        return file
    try:
        return file if recipe.COMMAND in tomllib.loads(file.read_text(encoding="utf-8")) else None
    except ValueError:
        return None


def own_data(run: str) -> tuple[recipe.Values, Dataset]:
    """The values of a run's options, and the data that it was trained on.

    Raises:
        ValueError: there is no configuration that tells them.
    """
    config = config_of(run)
    if config is None:
        raise ValueError(f"{run} holds no {CONFIG} that tells its data: name some with --data")
    return recipe.resolved({}, config)
