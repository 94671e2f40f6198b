"""Runs a workload's contenders, each in its own process, in interleaved rounds, and reports medians and ratios.

    python -m twingrad.benchmarks.bench_step                     # every case, a table, JSON with --json FILE
    python -m twingrad.benchmarks.bench_step --rounds 5 --only captured --only eager

Agreement of the contenders' results is asserted before anything is timed. A round of one contender follows a round of
another, so that a slow minute of the machine falls on all; ratios are taken within rounds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from twingrad.benchmarks import machine, report
from twingrad.benchmarks.contender import Worker
from twingrad.benchmarks.worker import Prepared

Case = dict[str, Any]
REST, RESTS = 0.03, 10
"""Seconds between two contenders; so often again while threads of the one before spin, OpenBLAS's for 0.1 s."""


@dataclass(frozen=True)
class Workload:
    """What is measured: the cases, who takes part, and what they must agree on.

    module: where `WORKLOAD` stands, for the workers. base: the contender that ratios refer to.
    agree(case, checks): raises AssertionError unless the contenders' numbers agree.
    layout: of the report, "tables" with one for each case, or "rows": one table with a row for each.
    memory: whether to tell by how much a step raises the resident memory at its highest.
    slow: contenders that take long to prepare, which a quick run leaves out.
    A case may hold "large", which a quick run leaves out, and "targets", see `report.targets`.
    """

    name: str
    module: str
    cases: Mapping[str, Case]
    contenders: Mapping[str, Callable[[Case], Prepared]]
    base: str
    agree: Callable[[Case, Mapping[str, Sequence[float]]], None]
    layout: str = "tables"
    memory: bool = False
    slow: Sequence[str] = ()


@dataclass(frozen=True)
class Effort:
    """How much to measure: interleaved rounds, seconds for each contender's part of a round, and when to look away.

    quiet: rounds in which other programs keep more cores busy than this are measured again, a second later, until
    `patience` seconds have gone into a case; the result counts them.
    """

    rounds: int = 21
    seconds: float = 0.2
    quiet: float = 0.2
    patience: float = 60.0


def run(
    workload: Workload,
    effort: Effort,
    *,
    cases: Sequence[str] = (),
    only: Sequence[str] = (),
    tell: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Measure the cases (all, if none is named) with the contenders (all, if none is named): the result as a dict.

    tell: called with the name of each case before it is measured. A case whose contenders disagree, or end, stands with
    the reason under "failed", and the others are measured all the same. Raises RuntimeError where none could be.
    """
    contenders = only or list(workload.contenders)
    found, failed = [], {}
    for name in cases or workload.cases:
        tell(f"{workload.name}: {name}")
        try:
            found.append(run_case(workload, name, contenders, effort))
        except Exception as error:  # whatever a library raises
            failed[name] = str(error).strip() or type(error).__name__
    if not found:
        raise RuntimeError("; ".join(f"{name}: {reason}" for name, reason in failed.items()))
    return {
        "workload": workload.name,
        "layout": workload.layout,
        "machine": described(),
        "effort": asdict(effort),
        "base": workload.base,
        "cases": found,
        "failed": failed,
    }


def run_case(workload: Workload, name: str, contenders: Sequence[str], effort: Effort) -> dict[str, Any]:
    """One case: start the workers, assert agreement, warm up, then interleave the rounds."""
    case = workload.cases[name]
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(workload.module, contender, case)) for contender in contenders]
        for worker in workers:
            worker.ready()
        present = [worker for worker in workers if worker.absent is None]
        workload.agree(case, {worker.contender: worker.ask("check") for worker in present})
        for worker in present if workload.memory else ():
            worker.told["peak_bytes"] = worker.ask("peak")
        kept, others, repeated = rounds_of(present, effort)
    times = {worker.contender: seen for worker, seen in zip(present, zip(*kept, strict=True), strict=True)}
    base = times.get(workload.base)
    return {
        "case": name,
        **case,
        "absent": {worker.contender: worker.absent for worker in workers if worker.absent is not None},
        "others_kept_busy_cores": others,
        "rounds_repeated": repeated,
        "contenders": [
            {"contender": worker.contender, **worker.told, **summary(times[worker.contender], base)}
            for worker in present
        ],
    }


def rounds_of(present: Sequence[Worker], effort: Effort) -> tuple[list[list[float]], float | None, int]:
    """Seconds a step, by round and contender; the cores that others kept busy; how many rounds were repeated."""
    one_round(present, effort.seconds)  # warms up
    found: list[tuple[list[float], float | None]] = []
    repeated, deadline = 0, time.monotonic() + effort.patience
    while len(found) < effort.rounds:
        times, others = one_round(present, effort.seconds)
        if others is not None and others > effort.quiet and time.monotonic() < deadline:
            repeated += 1
            time.sleep(1)
        else:
            found.append((times, others))
    known = [others for _, others in found if others is not None]
    return [times for times, _ in found], round(median(known), 2) if known else None, repeated


def one_round(present: Sequence[Worker], seconds: float) -> tuple[list[float], float | None]:
    """Each contender once, in order: seconds a step of each, and the cores that other programs kept busy meanwhile."""
    start, busy, own = time.monotonic(), machine.busy_seconds(), time.process_time()
    spent, times = -own - sum(worker.processor for worker in present), []
    for worker in present:
        took, worker.processor = worker.ask(f"round {seconds}")
        times.append(took)
        rest(worker)
    spent += time.process_time() + sum(worker.processor for worker in present)
    now = machine.busy_seconds()
    if busy is None or now is None:
        return times, None
    return times, max(0.0, now - busy - spent) / (time.monotonic() - start)


def rest(worker: Worker) -> None:
    """Wait until the contender's threads sleep."""
    for _ in range(RESTS):
        before = machine.processor_seconds(worker.process.pid)
        time.sleep(REST)
        if machine.processor_seconds(worker.process.pid) == before:
            return


def summary(seen: Sequence[float], base: Sequence[float] | None) -> dict[str, Any]:
    """The rounds of one contender in milliseconds: median, quartiles, best; and its ratios to the base's rounds."""
    found: dict[str, Any] = {
        "median_ms": 1e3 * median(seen),
        "quartiles_ms": [1e3 * value for value in _quartiles(seen)],
        "best_ms": 1e3 * min(seen),
        "rounds_ms": [1e3 * value for value in seen],
    }
    if base is not None:
        ratios = [mine / its for mine, its in zip(seen, base, strict=True)]
        found |= {"times_base": median(ratios), "times_quartiles": _quartiles(ratios)}
    return {key: _rounded(value) for key, value in found.items()}


def _quartiles(values: Sequence[float]) -> list[float]:
    ordered = sorted(values)
    return [ordered[round(q * (len(ordered) - 1))] for q in (0.25, 0.75)]


def described() -> dict[str, Any]:
    """The machine as a contender sees it: without the variables that tie OpenBLAS to another machine."""
    code = "import json; from twingrad.benchmarks import machine; print(json.dumps(machine.describe()))"
    command = [sys.executable, "-P", "-c", code]
    told = subprocess.run(command, env=machine.environment(), check=True, capture_output=True, text=True)
    return dict(json.loads(told.stdout))


def main(workload: Workload, argv: Sequence[str] | None = None) -> int:
    """The command line of a benchmark module."""
    parser = argparse.ArgumentParser(prog=f"python -m {workload.module}", description=f"Benchmark: {workload.name}.")
    parser.add_argument("--rounds", type=int, default=21, help="interleaved rounds (default 21)")
    parser.add_argument("--seconds", type=float, default=0.2, help="length of a contender's round (default 0.2)")
    parser.add_argument("--quiet", type=float, default=0.2, help="repeat rounds beside busier programs (default 0.2)")
    parser.add_argument("--patience", type=float, default=60, help="seconds a case may wait for quiet (default 60)")
    parser.add_argument("--case", action="append", default=[], choices=list(workload.cases), help="only this case")
    parser.add_argument("--only", action="append", default=[], choices=list(workload.contenders), help="only this one")
    parser.add_argument("--json", type=Path, help="write the result to this file")
    options = parser.parse_args(argv)
    if options.rounds < 1:
        parser.error(f"--rounds is at least 1, got {options.rounds}")
    effort = Effort(options.rounds, options.seconds, options.quiet, options.patience)
    result = run(workload, effort, cases=options.case, only=options.only)
    print(report.markdown(result))
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 1 if result["failed"] else 0


def _rounded(value: Any) -> Any:
    """Five significant digits: no more was measured."""
    return [_rounded(item) for item in value] if isinstance(value, list) else float(f"{value:.5g}")
