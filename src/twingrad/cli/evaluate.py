"""`twingrad evaluate`."""

from __future__ import annotations

import json
import sys
import warnings
from contextlib import suppress
from typing import Any

from twingrad.analysis import ClassReport, class_report
from twingrad.cli import recipe, report
from twingrad.cli.model import beside, config_of, loaded, own_data
from twingrad.cli.options import TRAIN_OPTIONS
from twingrad.cli.parser import Options
from twingrad.cli.table import read_toml
from twingrad.data import Dataset, load
from twingrad.train import Checkpoint, evaluate, predict
from twingrad.train.checkpoint import LAST
from twingrad.train.configuration import fingerprint
from twingrad.train.evaluate import aligned


def run(options: Options) -> None:
    """Measure the model and report."""
    given = options.given()
    model = loaded(options)
    parts = _parts(options.run, model, given)
    if given.get("by_class") and next(iter(parts.values())).task == "regression":
        raise ValueError("--by-class does not apply to a regression, which has no classes")
    loss = _configured(options.run, "loss") or "auto"
    measured = {name: evaluate(model, data, loss=loss) for name, data in parts.items() if len(data)}
    classes = {name: _by_class(model, parts[name]) for name in measured if given.get("by_class")}
    if options.json:
        found = {name: {"examples": len(parts[name]), **each.to_dict()} for name, each in measured.items()}
        found = {name: each | (classes[name].to_dict() if classes else {}) for name, each in found.items()}
        print(json.dumps({"run": options.run, "task": next(iter(parts.values())).task, "parts": found}))
        return
    first = next(iter(parts.values()))
    report.table(first.name, {name: len(data) for name, data in parts.items()}, measured, sys.stdout)
    if classes:
        name, each = list(classes.items())[-1]
        print(f"\n{name}, with 95% intervals\n{each}")
    else:
        report.by_label(first.classes, measured, sys.stdout)


def _by_class(model: Any, data: Dataset) -> ClassReport:
    data = aligned(data, getattr(model, "preprocessing", None))
    return class_report(data.y, predict(model, data.x, names=tuple(data.feature_names)), data.classes)


def _parts(run: str, model: Any, given: dict[str, Any]) -> dict[str, Dataset]:
    """The parts to be measured, by name: of the run's own data, or of the data set given."""
    known = _given_parts(run, model, given) if "data" in given else _own_parts(run)
    asked = given.get("part", "test" if "data" in given and "test" in known else "all")
    if asked == "all":
        return known
    if asked not in known:
        has = "has no parts" if list(known) == ["all"] else f"has the parts {', '.join(known)}"
        raise ValueError(f"--part {asked} does not apply to {given['data']}, which {has}")
    return {asked: known[asked]}


def _given_parts(run: str, model: Any, given: dict[str, Any]) -> dict[str, Dataset]:
    names = ("target", "features", "delimiter")
    data = load(given["data"], like=model.preprocessing, **{name: given[name] for name in names if name in given})
    if not data.own_test:
        if given.get("part", "all") == "all" and recipe.named_fully(given["data"]) == _configured(run, "data"):
            text = f"the model was trained on a part of {given['data']}; without --data its parts are measured apart"
            warnings.warn(text, stacklevel=2)
        return {"all": data}
    begin = len(data) - data.own_test
    return {"train": data.take(slice(0, begin)), "test": data.take(slice(begin, len(data)))}


def _own_parts(run: str) -> dict[str, Dataset]:
    values, data = own_data(run)
    parts = recipe.split(values, data)
    _note_change(run, values["data"], parts.train)
    return parts._asdict()


def _note_change(run: str, name: str, train: Dataset) -> None:
    """Say so where the data are not those that the model was trained on, as far as a checkpoint tells."""
    checkpoint = beside(run, LAST)
    if checkpoint is None:
        return
    with suppress(OSError, ValueError):  # a damaged checkpoint does not matter here
        before = Checkpoint.read(checkpoint).configuration["data"]["train"]
        if before not in (None, fingerprint(train)):
            warnings.warn(
                f"{name} has changed since training: what is measured as train, dev and test is not what it was then",
                stacklevel=2,
            )


def _configured(run: str, name: str) -> Any:
    """What the run's configuration says; None without one."""
    config = config_of(run)
    return read_toml(config, TRAIN_OPTIONS, recipe.COMMAND).get(name) if config else None
