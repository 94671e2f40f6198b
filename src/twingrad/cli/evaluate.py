"""`twingrad evaluate`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from twingrad.cli import recipe, report
from twingrad.cli.parser import Options
from twingrad.data import Dataset, load
from twingrad.devices import resolve
from twingrad.train import evaluate, load_model
from twingrad.train.run_folder import CONFIG


def run(options: Options) -> None:
    """Measure the model and report."""
    given = options.given()
    device = given.get("device", "auto")
    model = load_model(options.run).to(resolve(None if device == "auto" else device))
    parts = _parts(options.run, model, given)
    loss = _loss(options.run)
    measured = {name: evaluate(model, data, loss=loss) for name, data in parts.items() if len(data)}
    if options.json:
        found = {name: {"examples": len(parts[name]), **each.to_dict()} for name, each in measured.items()}
        print(json.dumps({"run": options.run, "task": next(iter(parts.values())).task, "parts": found}))
        return
    first = next(iter(parts.values()))
    report.table(first.name, {name: len(data) for name, data in parts.items()}, measured, sys.stdout)
    report.by_label(first.classes, measured, sys.stdout)


def _parts(run: str, model: Any, given: dict[str, Any]) -> dict[str, Dataset]:
    """The data set given, or the three parts of the run's own."""
    if "data" in given:
        names = ("target", "delimiter")
        return {"all": load(given["data"], like=model.preprocessing, **{n: given[n] for n in names if n in given})}
    config = _config(run)
    if config is None:
        raise ValueError(f"{run} holds no {CONFIG} that tells its data: name some with --data")
    values, data = recipe.resolved({}, config)
    return recipe.split(values, data)._asdict()


def _config(run: str) -> Path | None:
    folder = Path(run) if Path(run).is_dir() else Path(run).parent
    return folder / CONFIG if (folder / CONFIG).is_file() else None


def _loss(run: str) -> str:
    from twingrad.cli.options import TRAIN_OPTIONS
    from twingrad.cli.table import read_toml

    config = _config(run)
    return str(read_toml(config, TRAIN_OPTIONS, recipe.COMMAND).get("loss", "auto")) if config else "auto"
