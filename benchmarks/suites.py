"""The suites of `twingrad bench`: which workloads they hold, and what stays outside of them and why."""

from __future__ import annotations

import datetime
import importlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from twingrad import __version__
from twingrad.benchmarks import driver, plots, report
from twingrad.benchmarks.driver import Effort, Workload

FORMAT = 1
"""Of the result's layout."""

SUITES: dict[str, tuple[str, ...]] = {
    "step": ("bench_step", "bench_epoch"),
    "kernels": ("bench_kernels", "bench_optimizers"),
    "cpu": (
        "bench_step",
        "bench_epoch",
        "bench_adam",
        "bench_optimizers",
        "bench_dropout",
        "bench_logistic",
        "bench_autodiff",
        "bench_import",
        "bench_kernels",
    ),
}
OUTSIDE = {
    "fashion_mnist": "needs the images and trains for half a minute: python -m twingrad.benchmarks.fashion_mnist",
    "bench_matmul": "has a table of its own, in GFLOP/s: python -m twingrad.benchmarks.bench_matmul",
    "bench_philox": "compiles its candidates with a C++ compiler: pytest benchmarks/bench_philox.py, from a checkout",
    "GPU": "pytest benchmarks/ --device cuda, or benchmarks/gpu_check.sh, from a checkout with an NVIDIA GPU",
}
"""What no suite runs, and how it is run."""

FULL = Effort(rounds=9, seconds=0.1, patience=10.0)
QUICK = Effort(rounds=3, seconds=0.02, quiet=99.0)
"""For a look: a case's time is right within a tenth or two. `large` cases and `slow` contenders are left out."""


def run(suite: str, quick: bool, tell: Callable[[str], None]) -> dict[str, Any]:
    """Measure a suite: {"format", "suite", "quick", "date", "twingrad", "workloads": [...], "failed", "skipped": {}}.

    A case whose contenders disagree, or end, is told in "failed", and the others are measured all the same.
    tell: called with a line for each case before it is measured.
    """
    found: dict[str, Any] = {"format": FORMAT, "suite": suite, "quick": quick, "date": _now(), "twingrad": __version__}
    found |= {"workloads": [], "failed": {}, "skipped": {}}
    for name in SUITES[suite]:
        whole = workload_of(name)
        workload = smaller(whole) if quick else whole
        try:
            result = driver.run(workload, QUICK if quick else FULL, tell=tell)
        except RuntimeError as error:
            found["failed"][workload.name] = str(error)
        else:
            found["workloads"].append(result)
            found["failed"] |= {f"{workload.name}, {case}": why for case, why in result["failed"].items()}
        if left_out := len(whole.cases) - len(workload.cases):
            found["skipped"][f"{workload.name}: {left_out} large case{'s' * (left_out > 1)}"] = "--quick"
        if slow := sorted(whole.contenders.keys() - workload.contenders.keys()):
            found["skipped"][f"{workload.name}: {', '.join(slow)}"] = "--quick"
    found["skipped"] |= skipped(found["workloads"])
    return found


def workload_of(name: str) -> Workload:
    """The workload of a benchmark module."""
    workload = importlib.import_module(f"twingrad.benchmarks.{name}").WORKLOAD
    assert isinstance(workload, Workload)
    return workload


def smaller(workload: Workload) -> Workload:
    """Without the cases that are marked as large, and the contenders that are slow to prepare."""
    cases = {name: case for name, case in workload.cases.items() if not case.get("large")}
    quick = {name: make for name, make in workload.contenders.items() if name not in workload.slow}
    return replace(workload, cases=cases, contenders=quick)


def skipped(results: list[dict[str, Any]]) -> dict[str, str]:
    """What was not measured, and why: absent contenders, and what is outside of every suite."""
    reasons: dict[str, str] = {}
    for result in results:
        absent: dict[tuple[str, str], list[str]] = {}
        for case in result["cases"]:
            for who, reason in case["absent"].items():
                absent.setdefault((who, reason), []).append(case["case"])
        for (who, reason), cases in absent.items():
            which = "" if len(cases) == len(result["cases"]) else f" of {len(cases)} cases"
            reasons[f"{result['workload']}: {who}{which}"] = reason
    return reasons | {f"{name} (in no suite)": reason for name, reason in OUTSIDE.items()}


def pictures(found: dict[str, Any]) -> dict[str, bytes]:
    """A PNG for each workload that can be drawn, by its name; what cannot be is added to what is skipped."""
    reason = plots.unavailable()
    if reason:
        found["skipped"]["plots"] = reason
        return {}
    drawn = {result["workload"].replace(" ", "-"): plots.png(result) for result in found["workloads"]}
    return {name: content for name, content in drawn.items() if content is not None}


def markdown(found: dict[str, Any], images: Mapping[str, str] | None = None) -> str:
    """The tables of a suite, and what was skipped. images: the file of each workload's picture."""
    parts = []
    for result in found["workloads"]:
        name = result["workload"]
        file = (images or {}).get(name.replace(" ", "-"))
        parts.append(f"## {name}\n\n{report.markdown(result)}" + (f"\n![{name}]({file})\n" if file else ""))
    failed = [f"- {what}: {reason}" for what, reason in found["failed"].items()]
    if failed:
        parts.append("\n".join(["## failed\n", *failed, ""]))
    lines = [f"- {what}: {reason}" for what, reason in found["skipped"].items()]
    return "\n".join([*parts, "## not measured\n", *lines, ""])


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
