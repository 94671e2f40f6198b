"""What is aimed at on a GPU, and what the results of gpu_check.sh reach: a table for README, by `report`.

    python benchmarks/gpu_goals.py FOLDER      # what the newest result of a GPU there reaches

A goal is a row of GOALS; its figure is looked up in the files that gpu_report.py writes, in what gpu_targets.py and
gpu_step.py printed. The goals are those for an H200. Needs nothing but Python.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

NOT_YET = "not yet verified on hardware"
HEAD = ("on an H200", "target", "measured", "reached")

Result = dict[str, Any]
"""One file that gpu_check.sh wrote."""


class Goal(NamedTuple):
    """figure(result) raises LookupError with the reason where the result does not hold it; told(figure) is its text."""

    workload: str
    target: str
    figure: Callable[[Result], float]
    reached: Callable[[float], bool]
    told: Callable[[float], str]


def at(result: Result, *path: str) -> Any:
    """What lies there; LookupError with the reason, where a part or a contender left one instead."""
    found: Any = result
    for key in path:
        if isinstance(found, dict) and key not in found:
            raise LookupError(f"there is no {key!r} in the result")
        found = found[key] if isinstance(found, dict) else found
    if isinstance(found, str):
        raise LookupError(found)
    return found


def quickest(result: Result, *path: str, of: Sequence[str]) -> float:
    """The least median of the contenders in `of`; LookupError with the first one's reason, where all left reasons."""
    times, reasons = [], []
    for who in of:
        try:
            times.append(float(at(result, *path, who, "median_us")))
        except LookupError as error:
            reasons.append(f"{who}: {error.args[0]}")
    if not times:
        raise LookupError(reasons[0])
    return min(times)


def share_of_copy(workload: str, result: Result) -> float:
    return float(at(result, "targets", "workloads", workload, "twingrad", "of_copy"))


def times_update(workload: str, peer: str, result: Result) -> float:
    """How many times as long the peer takes."""
    path = "targets", "workloads", workload
    return quickest(result, *path, of=[peer]) / quickest(result, *path, of=["twingrad"])


def times_step(case: str, own: Sequence[str], peers: Sequence[str], result: Result) -> float:
    """How many times as long the quickest of the peers takes."""
    path = "step", "steps", case
    return quickest(result, *path, of=peers) / quickest(result, *path, of=own)


def step_us(case: str, result: Result) -> float:
    return quickest(result, "step", "steps", case, of=["twingrad captured"])


def epoch_ms(result: Result) -> float:
    return float(at(result, "step", "epoch_ms", "twingrad captured"))


def first_step_s(result: Result) -> float:
    return float(at(result, "step", "first_step", "warm_cache_s"))


def at_least(workload: str, limit: float, of: str, figure: Callable[[Result], float]) -> Goal:
    """A ratio: limit in times of a peer, or below 1 a share in percent."""
    whole = limit >= 1
    told = (lambda ratio: f"{ratio:.2f} times") if whole else (lambda ratio: f"{ratio:.1%}")
    target = (
        f"{limit:g} times as fast as {of}" if limit > 1 else f"as fast as {of}" if whole else f"{limit:.0%} of {of}"
    )
    return Goal(workload, f"at least {target}", figure, lambda ratio: ratio >= limit, told)


def at_most(workload: str, limit: float, unit: str, figure: Callable[[Result], float]) -> Goal:
    told = lambda time: f"{time:.3g} {unit}" if time < 100 else f"{time:.0f} {unit}"  # noqa: E731
    return Goal(workload, f"at most {limit:g} {unit}", figure, lambda time: time <= limit, told)


ADAM, SMALL = "Adam, 100,000,000 parameters", "Adam, 400 small tensors"
DROPOUT, NORM = "dropout, 256,000,000 elements", "batch norm + ReLU + dropout, (65536, 1024)"
STEP = "784-512-512-10, batch 128, batch norm + dropout 0.2"
LARGE = "4096-8192-8192-4096, batch 8192, plain, bf16"
FULL, TF32 = f"{STEP}, float32", f"{STEP}, tf32"
CAPTURED, OWN = ["twingrad captured"], ["twingrad captured", "twingrad eager"]
EAGER, GRAPH = ["PyTorch eager"], ["PyTorch CUDA graph"]

GOALS = (
    at_least(f"{ADAM}, float32, one launch", 0.93, "a copy's rate", partial(share_of_copy, ADAM)),
    at_least(f"{ADAM}, float32, one launch", 1, "PyTorch's fused Adam", partial(times_update, ADAM, "PyTorch")),
    at_least(SMALL, 1.5, "PyTorch's fused Adam", partial(times_update, SMALL, "PyTorch")),
    at_least(f"{DROPOUT}, forward + backward", 0.9, "a copy's rate", partial(share_of_copy, DROPOUT)),
    at_least(f"{NORM}, forward + backward", 2, "PyTorch eager", partial(times_update, NORM, "PyTorch eager")),
    at_least(f"{NORM}, forward + backward", 1, "`torch.compile`", partial(times_update, NORM, "PyTorch torch.compile")),
    at_most(f"captured step {FULL}", 80, "µs", partial(step_us, FULL)),
    at_most(f"captured step {TF32}", 55, "µs", partial(step_us, TF32)),
    at_least(f"captured step {FULL}", 4, "PyTorch eager", partial(times_step, FULL, CAPTURED, EAGER)),
    at_least(f"captured step {FULL}", 1, "a PyTorch CUDA graph", partial(times_step, FULL, CAPTURED, GRAPH)),
    at_least(f"step {LARGE}", 0.95, "PyTorch's rate", partial(times_step, LARGE, OWN, EAGER + GRAPH)),
    at_most(f"an epoch of 60,000 images, {FULL}", 50, "ms", epoch_ms),
    at_most("first step of a cold process, warm kernel cache", 2, "s", first_step_s),
)


def rows(results: Sequence[Result]) -> list[tuple[str, ...]]:
    """A row for each goal: by the first of the results, newest first, that holds its figure."""
    return [(goal.workload, goal.target, *_found(goal, results)) for goal in GOALS]


def _found(goal: Goal, results: Sequence[Result]) -> tuple[str, str]:
    reason = ""
    for result in results:
        try:
            figure = goal.figure(result)
        except LookupError as error:
            reason = reason or f": {_short(str(error.args[0]))}"
            continue
        return f"{goal.told(figure)} on {where(result)}", "yes" if goal.reached(figure) else "**no**"
    return f"**{NOT_YET}**{reason}", ""


def on_a_gpu(folder: Path) -> list[Result]:
    """The results of gpu_check.sh on a GPU, newest first."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("gpu-*.json")]
    found = [result for result in found if result["parts"].get("device", {}).get("status") == 0]
    return sorted(found, key=lambda result: str(result["date"]), reverse=True)


def main(folder: str) -> int:
    """Print each goal of the newest result there, what was measured, and whether that reaches it."""
    for workload, target, measured, reached in rows(on_a_gpu(Path(folder))[:1]):
        told = {"yes": "reached", "": "not measured"}.get(reached, "MISSED")
        print(f"{told:<13}{workload}: {target}; {measured.replace('**', '')}")
    return 0


def where(result: Result) -> str:
    """The GPU and the day."""
    return f"{result['machine'].split(',')[0]}, {result['date'][:10]}"


def _short(reason: str) -> str:
    """Of a reason what a cell of a table holds."""
    line = " ".join(reason.split()).replace("|", "/")
    return line if len(line) <= 120 else f"{line[:117]}..."


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
