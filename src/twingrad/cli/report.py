"""What is printed before and after a run. rich is imported only here."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

from twingrad.cli.argued import in_options
from twingrad.data import Dataset, Preprocessing, Splits
from twingrad.info import with_cure
from twingrad.train import Evaluation, curves
from twingrad.train.history import HEADINGS, shown
from twingrad.train.run_folder import CURVES

LABELS = 20
"""So many labels are listed."""


def begin(data: Dataset, preprocessing: Preprocessing, file: TextIO) -> None:
    """Print which task is taken, why, and what is done to the features."""
    print(f"{data.name}: {task_told(data)}; scaling {scaling_told(preprocessing)}", file=file)


def task_told(data: Dataset) -> str:
    """The task and why."""
    return f"{data.task} ({in_options(data.task_reason)})"


def scaling_told(preprocessing: Preprocessing) -> str:
    """How the features are scaled and why."""
    return f"{preprocessing.scaling} ({preprocessing.scaling_reason})"


def text_told(preprocessing: Preprocessing) -> str:
    """How text is encoded, and of which columns; "" where all are numbers."""
    if not preprocessing.texts:
        return ""
    others = ", unknown ones as zeros" if preprocessing.unknown == "zeros" else ""
    return f"{preprocessing.encoding}, by categories of the train part: {', '.join(preprocessing.texts)}{others}"


def show(
    result: dict[str, Any],
    data: Splits,
    measured: dict[str, Evaluation],
    preprocessing: Preprocessing,
    file: TextIO,
) -> None:
    """Print the measurements of each part, then what ran, where, how fast, and where the run folder is."""
    table(data.train.name, {part: len(each) for part, each in data._asdict().items()}, measured, file)
    by_label(data.train.classes, measured, file)
    print(file=file)
    print(_facts(result, data.train, preprocessing), file=file)


def table(title: str, examples: dict[str, int], measured: dict[str, Evaluation], file: TextIO) -> None:
    """Print a row of measurements for each part."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    found = Table(box=box.SIMPLE_HEAD)
    found.add_column(title)
    names = ["loss", *next(iter(measured.values())).metrics]
    for heading in ("examples", *(HEADINGS.get(name, name) for name in names)):
        found.add_column(heading, justify="right")
    for part, evaluation in measured.items():
        cells = [shown(name, getattr(evaluation, name)) for name in names]
        found.add_row(part, str(examples[part]), *cells, style="bold" if part == "test" else None)
    console = Console(file=file, highlight=False)
    with console.capture() as drawn:
        console.print(found)
    lines = [line.rstrip() for line in drawn.get().splitlines()]
    print("\n".join(line for line in lines if line), file=file)  # rich itself would exit at a closed pipe


def by_label(labels: Any, measured: dict[str, Evaluation], file: TextIO) -> None:
    """Print the accuracy of each label, of the last part that has them."""
    part, evaluation = list(measured.items())[-1]
    if not evaluation.by_label:
        return
    pairs = list(zip(labels, evaluation.by_label, strict=True))
    width = max(len(name) for name, _ in pairs[:LABELS])
    print(f"\n  {part} accuracy of each label", file=file)
    for name, value in pairs[:LABELS]:
        print(f"  {name:<{width}}  {shown('accuracy', value)}", file=file)
    if len(pairs) > LABELS:
        print(f"  and {len(pairs) - LABELS} more", file=file)


def _facts(result: dict[str, Any], train: Dataset, preprocessing: Preprocessing) -> str:
    """Plain lines: a long path or reason stays in one piece, to be copied or searched."""
    by = "loss" if train.task == "regression" else "accuracy"
    part = "dev" if "dev_loss" in result else "train"
    early = ", stopped early" * result["stopped_early"]
    best = f"{result['best_epoch']} of {result['epochs']}, by {part} {by}{early}" if result["best_epoch"] else "none"
    each = result["seconds_per_evaluation"]
    unit = "an epoch" if result["evaluations"] == result["epochs"] else "an evaluation"
    facts = {
        "task": task_told(train),
        "scaling": scaling_told(preprocessing),
        "text": text_told(preprocessing),
        "weights": f"averaged, ema {result['ema']}" if "ema" in result else "",
        "best epoch": best,
        "time": f"{result['seconds']:.1f} s on {result['device']}" + (f", {each:.3g} s {unit}" if each else ""),
        "kernels": kernels_told(result),
        "step": step_told(result),
        "data": "" if result["data"] == "in memory" else result["data"],
        "parameters": f"{result['parameters']:,}",
        "run folder": result["out"],
    }
    lines = [f"  {name:<10}  {value}" for name, value in facts.items() if value]
    if not (Path(result["out"]) / CURVES).exists():
        missing = "a picture takes two evaluations" if curves.available() else f"{curves.INSTALL} draws it"
        lines.append(f"  no {CURVES}: {missing}")
    return "\n".join(lines)


def kernels_told(result: dict[str, Any]) -> str:
    """Whether compiled kernels ran, else why not and what helps."""
    path: str = result["path"]
    if path.startswith("reference ("):
        return with_cure(path)
    cpu = import_module("twingrad.kernels.cpu")
    if result["device"] != "cpu" or not path.startswith("fused") or cpu.unavailable():  # a run of before tells its own
        return path
    return f"fused (compiled, {cpu.instruction_set()}){path.removeprefix('fused')}"


def step_told(result: dict[str, Any]) -> str:
    """Whether steps were replayed, else why not; the reason that is the kernels' too is not said again."""
    step, why = result["step"], result["path"].removeprefix("reference (").removesuffix(")")
    if step == "captured":
        return "captured (replayed without Python)"
    return "eager (without compiled kernels no step is replayed)" if why in step else step
