"""`twingrad train`."""

from __future__ import annotations

import json
import math
import sys
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

from twingrad.cli import recipe, report
from twingrad.cli.options import CHANGEABLE, RESIDENT, TRAIN_OPTIONS, WITH_RESUME
from twingrad.cli.parser import Options, UsageError
from twingrad.cli.table import to_toml
from twingrad.data import Dataset, Preprocessing, Splits
from twingrad.data.files import missing
from twingrad.devices import resolve
from twingrad.precision import use_precision
from twingrad.train import Diverged, EarlyStopping, Evaluation, History, Interrupted, Progress, RunFolder, evaluate, fit
from twingrad.train.model_file import MODEL
from twingrad.train.run_folder import CONFIG

RESULT = "result.json"
WORSE = 0.05


def run(options: Options) -> None:
    """Train, evaluate, write the run folder, and report."""
    given = options.given()
    quiet, as_json = given.get("quiet", False), given.get("json", False)
    values, data = _resolved(given)
    values["device"] = str(resolve(values["device"]))
    parts = recipe.split(values, data)
    preprocessing = recipe.fit_preprocessing(values, parts.train)
    preprocessing.check_categories(parts.test)  # what the train part lacks is told before anything is trained
    folder = _folder(given, values, data)
    if not quiet and sys.stderr.isatty():
        report.begin(data, preprocessing, file=sys.stderr)
    try:
        told, measured = _train(values, parts, preprocessing, folder, given)
    except (Interrupted, Diverged) as stopped:
        options.known = _known(stopped.history, folder)
        raise
    finally:
        folder.release()
    if folder.resume and told["updates"] and told["seconds_per_evaluation"] is None:
        _note_end(told, values)
    if told["updates"]:
        _note_failure(values["lr"], measured["train"], parts.train)
    if not quiet:
        report.show(told, parts, measured, preprocessing, file=sys.stderr if as_json else sys.stdout)
    if as_json:
        print(json.dumps(told))


def _train(
    values: dict[str, Any], parts: Splits, preprocessing: Preprocessing, folder: RunFolder, given: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Evaluation]]:
    """Run it and write what it came to; returns that with its circumstances, and the evaluations of the parts."""
    model = _make_model(values, preprocessing, parts.train.outputs)
    history = fit(
        model,
        parts,
        optimizer=recipe.make_optimizer(values, parts.train),
        preprocessing=preprocessing,
        device=values["device"],
        callbacks=_callbacks(values, given.get("quiet", False)),
        threads=given.get("threads"),
        resident=RESIDENT[given.get("resident", "auto")],
        out=folder,
        **recipe.fit_options(values),
    )
    with use_precision(values["precision"]):
        given_parts = {part: each for part, each in parts._asdict().items() if len(each)}
        measured = {part: evaluate(model, each, loss=values["loss"]) for part, each in given_parts.items()}
    result = _result(model, parts.train, history, measured)
    result |= {} if values["ema"] is None else {"ema": values["ema"]}
    folder.write(RESULT, (json.dumps(result, indent=1) + "\n").encode())
    early = bool(values["early_stopping"]) and result["epochs"] < values["epochs"]
    return result | _circumstances(history, folder) | {"stopped_early": early}, measured


def _make_model(values: dict[str, Any], preprocessing: Preprocessing, outputs: int) -> Any:
    try:
        return recipe.make_model(values, preprocessing, outputs)
    except (MemoryError, OverflowError) as error:
        widths = [preprocessing.width, *values["hidden"], outputs]
        weights = sum(a * b for a, b in pairwise(widths))
        asked = ",".join(map(str, values["hidden"]))
        raise ValueError(f"--hidden {asked} is a network of {weights:,} weights, which memory does not hold") from error


def _note_failure(lr: float, train: Evaluation, data: Dataset) -> None:
    """Say so where even the best model is clearly worse on its training data than one that knows no features."""
    if data.task == "regression":
        failed, told = train.r2 < -WORSE, f"R2 {train.r2:.3g}, where the mean of the targets has 0"
    else:
        chance = math.log(len(data.classes) if data.task == "multi-class" else 2)
        failed, told = train.loss > (1 + WORSE) * chance, f"loss {train.loss:.3g}, where chance has {chance:.3g}"
    if failed:
        cure = f"lower --lr, which is {lr:g}, or take more --epochs"
        warnings.warn(f"training came to no more than chance ({told}): {cure}", stacklevel=2)


def _note_end(told: dict[str, Any], values: dict[str, Any]) -> None:
    """Say so where the run that was to go on had come to its end before."""
    by = f"--early-stopping {values['early_stopping']} ended it" if told["stopped_early"] else "for more raise --epochs"
    text = f"{told['out']} had ended already, after {told['epochs']} epochs: nothing was left to train; {by}"
    warnings.warn(text, stacklevel=2)


def _known(history: History, folder: RunFolder) -> dict[str, Any]:
    """What --json tells of a run that was interrupted or diverged."""
    best = history.best
    scores = {} if best is None else {"best_epoch": best.epoch} | best.to_dict()
    measured = {name: value for name, value in scores.items() if name not in ("epoch", "step", "lr")}
    return {
        "epochs": history[-1].epoch if len(history) else 0,
        "updates": history[-1].step if len(history) else 0,
        **measured,
        "out": str(folder.path) if folder.resumable or (folder.path / MODEL).exists() else None,
    }


def _resolved(given: dict[str, Any]) -> tuple[dict[str, Any], Dataset]:
    if "resume" not in given:
        config = given.get("config")
        return recipe.resolved(given, Path(config) if config else None)
    others = [option.flag for option in TRAIN_OPTIONS if option.name in given and option.name not in WITH_RESUME]
    if others:
        raise UsageError(
            f"twingrad train: error: --resume goes on with the run's own options; leave out {', '.join(others)}"
        )
    folder = Path(given["resume"])
    if not folder.exists():
        raise missing("run folder", folder)
    if not (folder / CONFIG).is_file():
        raise FileNotFoundError(f"{folder} is no run folder to go on with: it holds no {CONFIG}")
    return recipe.resolved({name: given[name] for name in CHANGEABLE if name in given}, folder / CONFIG)


def _folder(given: dict[str, Any], values: dict[str, Any], data: Dataset) -> RunFolder:
    config = to_toml(values, TRAIN_OPTIONS, recipe.COMMAND)
    if "resume" in given:
        return RunFolder(given["resume"], resume=True, config=config)
    where = given.get("out", f"runs/{data.name}")
    return RunFolder(where, numbered="out" not in given, config=config)


def _callbacks(values: dict[str, Any], quiet: bool) -> list[Any]:
    stopping = [EarlyStopping(values["early_stopping"])] if values["early_stopping"] else []
    return stopping + ([] if quiet else [Progress()])


def _result(model: Any, data: Dataset, history: History, measured: dict[str, Evaluation]) -> dict[str, Any]:
    """What the run came to: the same for the same options, data and seed."""
    result: dict[str, Any] = {"task": data.task}
    for part, evaluation in measured.items():
        result |= {f"{part}_{name}": value for name, value in evaluation.to_dict().items()}
    best = history.best
    return result | {
        "epochs": history[-1].epoch if len(history) else 0,
        "updates": history[-1].step if len(history) else 0,
        "best_epoch": best.epoch if best else None,
        "parameters": sum(math.prod(parameter.shape) for parameter in model.parameters()),
    }


def _circumstances(history: History, folder: RunFolder) -> dict[str, Any]:
    seconds = [record.seconds for record in history if record.seconds]
    return {
        "evaluations": len(history),
        "seconds": round(history.seconds, 3),
        "seconds_per_evaluation": round(sum(seconds) / len(seconds), 4) if seconds else None,
        "device": history.device,
        "path": history.path,
        "step": history.step,
        "data": history.data,
        "out": str(folder.path),
    }
