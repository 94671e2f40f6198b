"""`twingrad train`."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

from twingrad.cli.options import DEFAULT_LR, Options
from twingrad.cli.report import show
from twingrad.data import Splits, load
from twingrad.devices import resolve
from twingrad.train import Evaluation, History, Progress, RunFolder, dense, evaluate, fit
from twingrad.train.checks import OPTIMIZERS

DATA = "digits"
RUNS = f"runs/{DATA}"


def run(options: Options) -> None:
    """Train, evaluate, write the run folder, and report."""
    device = resolve(None if options.device == "auto" else options.device)
    data = load(DATA).split(seed=options.seed)
    model = _model(options, data)
    optimizer = _optimizer(options)
    where = RUNS if options.out is None else options.out
    folder = RunFolder(where, numbered=options.out is None, config=_config(options, device))
    history = fit(
        model,
        data,
        optimizer=optimizer,
        epochs=options.epochs,
        batch_size=options.batch_size,
        device=device,
        seed=options.seed,
        callbacks=() if options.quiet else (Progress(),),
        out=folder,
    )
    measured = {part: evaluate(model, dataset) for part, dataset in data._asdict().items()}
    result = _result(model, history, measured, folder)
    folder.write("result.json", (json.dumps(result, indent=1) + "\n").encode())
    if not options.quiet:
        show(result, data, file=sys.stderr if options.json else sys.stdout)
    if options.json:
        print(json.dumps(result))


def _model(options: Options, data: Splits) -> Any:
    return dense(
        data.train.x.shape[1],
        len(data.train.classes),
        hidden=options.hidden,
        dropout=options.dropout,
        batch_norm=options.batch_norm,
        seed=options.seed,
    )


def _rate(options: Options) -> float:
    return DEFAULT_LR[options.optimizer] if options.lr is None else options.lr


def _optimizer(options: Options) -> Any:
    return OPTIMIZERS[options.optimizer](lr=_rate(options))


def _config(options: Options, device: str) -> str:
    """The resolved options as TOML; its strings, booleans, numbers and lists are JSON's."""
    chosen = {
        "data": DATA,
        "hidden": list(options.hidden),
        "dropout": options.dropout,
        "batch_norm": options.batch_norm,
        "optimizer": options.optimizer,
        "lr": _rate(options),
        "batch_size": options.batch_size,
        "epochs": options.epochs,
        "seed": options.seed,
        "device": str(device),
    }
    return "[train]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in chosen.items())


def _result(model: Any, history: History, measured: dict[str, Evaluation], folder: RunFolder) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for part, (loss, accuracy) in measured.items():
        result |= {f"{part}_loss": loss if math.isfinite(loss) else None, f"{part}_accuracy": accuracy}
    best = history.best
    return result | {
        "epochs": len(history),
        "best_epoch": best.epoch if best else None,
        "seconds": round(history.seconds, 3),
        "device": history.device,
        "path": history.path,
        "step": history.step,
        "parameters": sum(math.prod(parameter.shape) for parameter in model.parameters()),
        "out": str(folder.path),
    }
