"""The table at the end of a run. rich is imported only here."""

from __future__ import annotations

from typing import Any, TextIO

from twingrad.data import Splits
from twingrad.train import curves


def show(result: dict[str, Any], data: Splits, file: TextIO) -> None:
    """Print loss and accuracy of each part, then what ran, where, how fast, and where the run folder is."""
    from rich.console import Console

    console = Console(file=file, highlight=False)
    console.print(_scores(result, data))
    console.print(_facts(result), markup=False, soft_wrap=True)


def _scores(result: dict[str, Any], data: Splits) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column(data.train.name)
    for heading in ("examples", "loss", "accuracy"):
        table.add_column(heading, justify="right")
    for part, dataset in data._asdict().items():
        loss = result[f"{part}_loss"]
        row = (str(len(dataset)), "not finite" if loss is None else f"{loss:.4f}", f"{result[f'{part}_accuracy']:.2%}")
        table.add_row(part, *row, style="bold" if part == "test" else None)
    return table


def _facts(result: dict[str, Any]) -> str:
    """Plain lines: a long path or reason stays in one piece, to be copied or searched."""
    best = f"{result['best_epoch']} of {result['epochs']}, by dev accuracy" if result["epochs"] else "none"
    facts = {
        "best epoch": best,
        "time": f"{result['seconds']:.1f} s on {result['device']}",
        "path": result["path"],
        "step": result["step"],
        "parameters": f"{result['parameters']:,}",
        "run folder": result["out"],
    }
    lines = [f"  {name:<10}  {value}" for name, value in facts.items()]
    return "\n".join(lines if curves.available() else [*lines, f"  no curves.png: {curves.INSTALL} draws it"])
