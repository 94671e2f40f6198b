"""What runs where, and what the results of gpu_check.sh show of the GPU; see `report` for how pages quote it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twingrad.benchmarks import gpu_goals
from twingrad.benchmarks.gpu_goals import NOT_YET

HEAD = ("", "NumPy on a CPU", "CuPy on an NVIDIA GPU", "any other array API library")
ROWS: tuple[tuple[str, str, str, str, tuple[str, ...]], ...] = (
    ("layers, losses, `fit`, gradients", "yes", "written", "reference path", ("tests",)),
    (
        "optimizers, dropout, random words",
        "fused, bit-equal to the reference",
        "kernels compile for sm_75 to sm_120 and give the reference's bits when their source runs on a CPU",
        "reference path",
        ("tests", "fidelity"),
    ),
    (
        "dense layers, normalisation, activations, losses",
        "fused",
        "kernels around cuBLAS's products compile for sm_75 to sm_120 and agree with the reference when their source "
        "runs on a CPU",
        "reference path",
        ("tests", "fidelity"),
    ),
    (
        "captured step",
        "one C call",
        "one CUDA graph, with NVIDIA's nvmath-python; gives plain steps' bits on a stand-in for CUDA",
        "`fit` and `fallback=True` run plain steps, and tell the reason",
        ("tests", "step"),
    ),
    (
        "data set",
        "in memory, or streamed from the disk",
        "resident where it fits, gathered in the step; else streamed through page-locked buffers, in the right order "
        "on streams as late as CUDA allows",
        "",
        ("tests",),
    ),
)
"""What, on each kind of array, and the parts of gpu_check.sh that must have passed to verify the GPU's."""


def markdown(results: Path) -> str:
    """The table, by the newest file of a GPU in the folder; below it the goals, by the newest that shows each."""
    found = gpu_goals.on_a_gpu(results)
    lines = [_row(HEAD), "|---|---|---|---|"]
    lines += [
        _row((what, cpu, f"{gpu}; **{verdict(found[:1], parts)}**", other)) for what, cpu, gpu, other, parts in ROWS
    ]
    lines += ["", _row(gpu_goals.HEAD), "|---|---|---|---|", *map(_row, gpu_goals.rows(found))]
    return "\n".join([*lines, ""])


def verdict(newest: list[dict[str, Any]], parts: tuple[str, ...]) -> str:
    """What the newest file, if there is one, shows of these parts: verified, where and when; or which did not pass."""
    if not newest:
        return NOT_YET
    (found,) = newest
    wrong, where = [part for part in parts if not passed(found, part)], gpu_goals.where(found)
    return f"verified on {where}" if not wrong else f"{NOT_YET}: {', '.join(wrong)} did not pass on {where}"


def passed(found: dict[str, Any], part: str) -> bool:
    """Whether the part ran and passed; tests also must be some, and not all skipped."""
    if found["parts"].get(part, {}).get("status") != 0:
        return False
    tests = found["tests"]
    return part != "tests" or (isinstance(tests, dict) and tests["tests"] > tests["skipped"])


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"
