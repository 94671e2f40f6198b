"""`twingrad tune`."""

from __future__ import annotations

import json
import signal
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twingrad.cli import recipe, tune_report, tuning
from twingrad.cli.options import SEARCH, TRAIN_OPTIONS, TUNE_OPTIONS, WITH_TUNE_RESUME
from twingrad.cli.parser import Options, UsageError
from twingrad.cli.table import read_toml, to_toml
from twingrad.data.files import missing
from twingrad.devices import resolve
from twingrad.train import Diverged, History, Interrupted
from twingrad.train.atomic import write_atomic
from twingrad.train.configuration import fingerprint
from twingrad.tune import Search, Trial, importance_png, search, slices_png
from twingrad.tune.store import quiet_optuna
from twingrad.tune.strategies import STRATEGIES, Random

COMMAND = "tune"
ASKED, BEST, TRIALS, IMPORTANCE, SLICES = "tune.toml", "best.toml", "trials.csv", "importance.png", "slices.png"


@dataclass(frozen=True)
class Request:
    """What was asked for: the search's own options, those of `train` that all trials share, what is searched.

    trials: as many as there will be, fewer in a grid than were asked for.
    """

    asked: dict[str, Any]
    values: recipe.Values
    objective: tuning.Objective
    space: tuning.Space
    trials: int

    @property
    def metric(self) -> str:
        """What is compared."""
        return self.objective.metric

    def to_toml(self) -> str:
        """All of it, from which the search can go on."""
        return to_toml(self.values | self.asked | {"space": tuning.told(self.space)}, TUNE_OPTIONS, COMMAND)

    def about(self) -> dict[str, Any]:
        """What tells this search from another one."""
        train = self.objective.data()[0].train
        return {"options": self.values, "metric": self.metric, "data": fingerprint(train)}


def run(options: Options) -> None:
    """Search, write the folder, and report."""
    given = options.given()
    quiet, as_json = given.get("quiet", False), given.get("json", False)
    _check_optuna()
    request = _requested(given)
    folder = _folder(given, request)
    write_atomic(folder / ASKED, request.to_toml().encode())
    found = _searched(request, folder, quiet)
    pictures = _write(found, folder, request)
    if not found.ranked:
        raise Diverged(f"none of {len(found)} trials came to an end: {found.trials[0]}; search lower rates", History())
    if not quiet:
        facts = {"train it": f"twingrad train --config {folder / BEST}"}
        facts["folder"] = f"{folder}: {', '.join([TRIALS, *pictures])}"
        tune_report.show(found, facts, request.metric, sys.stderr if as_json else sys.stdout)
    if as_json:
        print(json.dumps(tune_report.result(found, folder, request.metric)))


def _check_optuna() -> None:
    try:
        with quiet_optuna():
            pass
    except ImportError as error:
        raise ValueError(str(error)) from error


def _searched(request: Request, folder: Path, quiet: bool) -> Search:
    """The search; where a signal ends it, what it came to so far is written."""
    so_far: list[Search] = []
    progress = tune_report.Progress(request.trials, request.metric, quiet)

    def on_trial(found: Search, trial: Trial) -> None:
        so_far[:] = [found]
        progress.show(found)

    told = {name: request.asked[name] for name in ("strategy", "workers", "prune", "trials")}
    told |= {"seed": request.values["seed"], "maximize": request.metric in tuning.MORE_IS_BETTER}
    try:
        about = request.about()
        found = search(request.objective, request.space, folder=folder, about=about, callback=on_trial, **told)
        if not so_far:
            ended = f"{folder} had ended already, after {len(found)} trials"
            warnings.warn(f"{ended}: nothing was left to try; for more raise --trials", stacklevel=3)
        return found
    except KeyboardInterrupt as stopped:
        for found in so_far:
            _write(found, folder, request)
        done = f"after {len(so_far[0])} trials" if so_far else "before a trial ended"
        number = getattr(stopped, "number", signal.SIGINT.value)
        raise Interrupted(f"interrupted {done}; go on with it: --resume {folder}", History(), number) from None
    finally:
        progress.stop()


def _requested(given: dict[str, Any]) -> Request:
    """What the command line, the TOML file, or the folder to be resumed asks for.

    Raises:
        ValueError: what cannot be searched, told before anything is written.
    """
    fixed: dict[str, Any] = {}
    if "resume" in given:
        given = _of_folder(given)
    else:
        fixed = given | (read_toml(Path(given["config"]), TRAIN_OPTIONS, recipe.COMMAND) if "config" in given else {})
    values, data = recipe.resolved(given, Path(given["config"]) if "config" in given else None)
    values["device"] = str(resolve(values["device"]))
    asked = {option.name: given.get(option.name, option.default) for option in SEARCH if option.kept}
    asked["metric"] = tuning.metric_of(asked["metric"], data.task)
    if not values["epochs"]:
        raise ValueError("--epochs must be at least 1 to search; got 0")
    objective = tuning.Objective(values, asked["metric"])
    train, dev, _ = objective.data()[0]
    if not len(dev):
        raise ValueError("--split leaves no dev part to compare trials on")
    space = tuning.space_of(asked["space"], asked["first"], fixed, values["optimizer"], len(train))
    plan = STRATEGIES.get(asked["strategy"], Random)(space, asked["trials"], values["seed"])  # a grid may need more
    low = {name: scale.grid(2)[0] for name, scale in space.items()}
    recipe.make_optimizer(tuning.applied(values, low), train)  # tells what the optimizer does not take
    return Request(asked, values, objective, space, plan.trials)


def _of_folder(given: dict[str, Any]) -> dict[str, Any]:
    others = [option.flag for option in TUNE_OPTIONS if option.name in given and option.name not in WITH_TUNE_RESUME]
    if others:
        raise UsageError(f"twingrad tune: error: --resume goes on with the search's own options; leave out {others[0]}")
    folder = Path(given["resume"])
    if not folder.exists():
        raise missing("folder of a search", folder)
    if not (folder / ASKED).is_file():
        raise FileNotFoundError(f"{folder} is no folder of a search to go on with: it holds no {ASKED}")
    asked = read_toml(folder / ASKED, TUNE_OPTIONS, COMMAND)
    if given.get("trials", asked["trials"]) < asked["trials"]:
        told = f"at least the {asked['trials']} of the search that goes on"
        raise ValueError(f"--trials must be {told}; got {given['trials']}")
    return asked | given


def _folder(given: dict[str, Any], request: Request) -> Path:
    """Where the search is kept: new or empty, unless it goes on."""
    if "resume" in given:
        return Path(given["resume"])
    name, number = f"runs/tune-{request.objective.data()[0].train.name}", 1
    while Path(f"{name}-{number}").exists():
        number += 1
    folder = Path(given.get("out", f"{name}-{number}"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        used = any(folder.iterdir())
    except OSError as error:
        raise OSError(f"output folder {folder} cannot be written ({error.strerror}); name another one") from None
    if used:
        raise FileExistsError(f"output folder {folder} is not empty: name a new one, or go on with --resume {folder}")
    return folder


def _write(found: Search, folder: Path, request: Request) -> list[str]:
    """The best configuration, the table and the pictures, whose names it returns."""
    write_atomic(folder / TRIALS, tune_report.as_csv(found, request.metric).encode())
    if found.ranked:
        best = tuning.applied(request.values, found.best.values) | {"device": None}  # any may train it
        write_atomic(folder / BEST, to_toml(best, TRAIN_OPTIONS, recipe.COMMAND).encode())
    drawn = {IMPORTANCE: importance_png(found), SLICES: slices_png(found, f"dev {request.metric}")}
    for name, content in drawn.items():
        if content is not None:
            write_atomic(folder / name, content)
    return [name for name, content in drawn.items() if content is not None]
