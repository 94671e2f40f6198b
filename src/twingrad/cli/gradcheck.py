"""`twingrad gradcheck`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from twingrad.cli import recipe
from twingrad.cli.answers import finite
from twingrad.cli.model import config_of, loaded, own_data
from twingrad.cli.options import TRAIN_OPTIONS, WITH_RUN
from twingrad.cli.parser import Options, UsageError
from twingrad.cli.table import read_toml
from twingrad.data import Dataset, load
from twingrad.devices import resolve
from twingrad.gradcheck import GradientReport, check_grads
from twingrad.gradcheck.report import LOOK_AGAIN, WRONG
from twingrad.train import checks, fit
from twingrad.train.evaluate import aligned
from twingrad.train.objective import Objective, make_objective
from twingrad.train.parts import Order, part_of
from twingrad.train.placement import check_outputs, outputs_of, placed

CODES = {WRONG: 5, LOOK_AGAIN: 6}
"""Exit codes of verdicts; that of the others is 0."""
BATCH = 64
"""Examples of a mini-batch where no run tells how many."""


def run(options: Options) -> int:
    """Check the gradients of a network on a mini-batch, report, and return the exit code."""
    given = options.given()
    model, train, values = _of_run(options, given) if options.run else _fresh(given)
    model = model.to(_device(values), dtype=np.float64).train(not given.get("eval", False))
    train = aligned(_chosen(model, train, values), model.preprocessing)
    objective = _objective(model, train, values)
    x, targets, _ = next(part_of(model, objective, train, Order(len(train))).chunks(len(train)))
    own = {name: given[name] for name in ("epsilon", "limit", "samples") if name in given}
    report = check_grads(model, objective.loss, x, targets, weight_decay=_l2(values), seed=values["seed"], **own)
    if options.json:
        about = {"run": options.run or None, "data": train.name, "task": train.task, "loss": objective.name}
        print(json.dumps(finite(about | {"examples": len(train)} | report.to_dict()), allow_nan=False))
    else:
        print(f"{train.name}: {train.task}, {objective.name} of {len(train)} examples")
        print(_with_notes(report, values))
    return CODES.get(report.verdict, 0)


def _fresh(given: dict[str, Any]) -> tuple[Any, Dataset, dict[str, Any]]:
    """A network as `train` would make it, at random or after --epochs; the train part and the values of the options."""
    config = given.get("config")
    values, data = recipe.resolved({"epochs": 0} | given, Path(config) if config else None)
    parts = recipe.split(values, data)
    preprocessing = recipe.fit_preprocessing(values, parts.train)
    model = recipe.make_model(values, preprocessing, parts.train.outputs)
    optimizer = recipe.make_optimizer(values, parts.train)
    model.preprocessing = preprocessing
    if values["epochs"]:
        settings = recipe.fit_options(values) | {"checkpoint_every": None}
        fit(model, parts, optimizer=optimizer, preprocessing=preprocessing, device=_device(values), **settings)
    return model, parts.train, values


def _of_run(options: Options, given: dict[str, Any]) -> tuple[Any, Dataset, dict[str, Any]]:
    """The model of a run folder or file, with its own train part or the data given, and the values of its options."""
    run, others = options.run, [o.flag for o in TRAIN_OPTIONS if o.name in given and o.name not in WITH_RUN]
    if others:
        told = f"the network of {run} was made with its own options; leave out {', '.join(others)}"
        raise UsageError(f"twingrad gradcheck: error: {told}")
    model = loaded(options)
    rest = {name: given[name] for name in ("batch_size", "device", "seed") if name in given}
    if "data" in given:
        values = {option.name: option.default for option in TRAIN_OPTIONS} | {"batch_size": BATCH}
        config = config_of(run)
        values |= read_toml(config, TRAIN_OPTIONS, recipe.COMMAND) if config else {}
        named = {name: given[name] for name in ("target", "features", "delimiter") if name in given}
        return model, load(given["data"], like=model.preprocessing, **named), values | rest
    values, data = own_data(run)
    return model, recipe.split(values, data).train, values | rest


def _device(values: dict[str, Any]) -> str:
    return str(resolve(values["device"]))


def _chosen(model: Any, train: Dataset, values: dict[str, Any]) -> Dataset:
    """The first mini-batch of training."""
    smallest = 2 if checks.has_batch_norm(model) else 1
    return train.take(next(Order(values["batch_size"], values["seed"], smallest).indices(len(train), 0, 0)))


def _objective(model: Any, data: Dataset, values: dict[str, Any]) -> Objective:
    outputs = outputs_of(model, data, model.preprocessing)
    check_outputs(data, outputs)
    weight = checks.class_weights(values["class_weight"], data, data.task, outputs)
    weight = None if weight is None else placed(model, weight)
    return make_objective(data.task, outputs, values["loss"], model.preprocessing, weight)


def _l2(values: dict[str, Any]) -> float:
    """The weight decay that is part of the gradient; adamw's is not."""
    return float(values["weight_decay"] or 0.0) if values["optimizer"] != "adamw" else 0.0


def _with_notes(report: GradientReport, values: dict[str, Any]) -> str:
    lines = [repr(report)]
    if values["optimizer"] == "adamw" and values["weight_decay"]:
        lines.append("  the decay of adamw is decoupled from the gradient: it is not in the cost")
    if values["l1"]:
        lines.append("  --l1 is a step of its own after the gradient's: it is not in the cost")
    return "\n".join(lines)
