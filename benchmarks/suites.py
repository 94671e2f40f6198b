"""The suites of `twingrad bench`: which workloads they hold, and what stays outside of them and why."""

from __future__ import annotations

import datetime
import importlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from twingrad import __version__
from twingrad.benchmarks import bench_import, driver, report
from twingrad.benchmarks.driver import Effort, Workload

FORMAT = 1
"""Of the result's layout."""

SUITES: dict[str, tuple[str, ...]] = {
    "step": ("bench_step",),
    "kernels": ("bench_kernels", "bench_optimizers"),
    "cpu": ("bench_step", "bench_kernels", "bench_optimizers", "bench_adam", "bench_dropout", "bench_import"),
}
OUTSIDE = {
    "bench_philox": "compiles its candidates with a C++ compiler: pytest benchmarks/bench_philox.py, from a checkout",
    "GPU": "pytest benchmarks/ --device cuda, or benchmarks/gpu_check.sh, from a checkout with an NVIDIA GPU",
}
"""What no suite runs, and how it is run."""

FULL = Effort(rounds=9, seconds=0.1, patience=10.0)
QUICK = Effort(rounds=3, seconds=0.02, quiet=99.0)
"""For a look: a case's time is right within a tenth or two, and `large` cases are left out."""

IMPORTS = {False: 10, True: 3}
"""How often the time of an import is taken: in full, and quickly."""


def run(suite: str, quick: bool, tell: Callable[[str], None]) -> dict[str, Any]:
    """Measure a suite: {"format", "suite", "quick", "date", "twingrad", "workloads": [...], "import", "skipped": {}}.

    tell: called with a line for each case before it is measured.
    """
    found: dict[str, Any] = {"format": FORMAT, "suite": suite, "quick": quick, "date": _now(), "twingrad": __version__}
    found |= {"workloads": [], "import": None, "skipped": {}}
    for name in SUITES[suite]:
        if name == "bench_import":
            tell("import twingrad")
            found["import"] = bench_import.measure(IMPORTS[quick])
            continue
        whole = workload_of(name)
        workload = smaller(whole) if quick else whole
        found["workloads"].append(driver.run(workload, QUICK if quick else FULL, tell=tell))
        if left_out := len(whole.cases) - len(workload.cases):
            found["skipped"][f"{workload.name}: {left_out} large cases"] = "--quick"
    found["skipped"] |= skipped(found["workloads"])
    return found


def workload_of(name: str) -> Workload:
    """The workload of a benchmark module."""
    workload = importlib.import_module(f"twingrad.benchmarks.{name}").WORKLOAD
    assert isinstance(workload, Workload)
    return workload


def smaller(workload: Workload) -> Workload:
    """Without the cases that are marked as large."""
    return replace(workload, cases={name: case for name, case in workload.cases.items() if not case.get("large")})


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


def markdown(found: dict[str, Any]) -> str:
    """The tables of a suite, and what was skipped."""
    parts = [f"## {result['workload']}\n\n{report.markdown(result)}" for result in found["workloads"]]
    if found["import"] is not None:
        parts.append(f"## import\n\n{bench_import.table(found['import'])}\n")
    lines = [f"- {what}: {reason}" for what, reason in found["skipped"].items()]
    return "\n".join([*parts, "## not measured\n", *lines, ""])


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
