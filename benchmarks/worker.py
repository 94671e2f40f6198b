"""The side of a contender: a process of its own that prepares one step and times it when told to.

An idle thread pool of another library slows its neighbours, so no two contenders share a process. Each line on
standard input is a command, each on standard output its answer in JSON: see `serve`.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from twingrad.benchmarks import machine


def nothing() -> None:
    """No synchronisation: what a step on the CPU needs."""


@dataclass
class Prepared:
    """One contender, ready to run one case.

    step: what is timed. check: numbers that contenders are compared by, taken once, before any timing.
    synchronise: waits until the device is done. traffic: the bytes that a step must move at least, 0 if not told.
    path: what runs, in words, where the name does not say it. repeats: steps that a call of `step` makes.
    """

    step: Callable[[], Any]
    check: Callable[[], Sequence[float]]
    synchronise: Callable[[], None] = nothing
    traffic: int = 0
    path: str = ""
    repeats: int = 1
    notes: dict[str, Any] = field(default_factory=dict)


def time_steps(prepared: Prepared, seconds: float) -> float:
    """Seconds for a step, the mean over as many calls as fit in `seconds`, at least one."""
    step, now = prepared.step, time.perf_counter
    prepared.synchronise()
    count, start = 0, now()
    while True:
        step()
        count += 1
        if now() - start >= seconds:
            break
    prepared.synchronise()
    return (now() - start) / (count * prepared.repeats)


def serve(module: str, contender: str, case: dict[str, Any]) -> None:
    """Prepare `contender` of the workload in `module`, then answer commands until the input ends.

    check: the contender's numbers. round SECONDS: seconds for a step, and the processor seconds spent so far, children
    included. peak: the bytes by which a step raises the resident memory at its highest.
    """
    answers, sys.stdout = sys.stdout, sys.stderr
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the driver too, which ends the input

    def answer(value: Any) -> None:
        print(json.dumps(value), file=answers, flush=True)

    workload = importlib.import_module(module).WORKLOAD
    try:
        prepared = workload.contenders[contender](case)
    except ImportError as error:
        answer({"absent": str(error)})
        return
    answer({"traffic": prepared.traffic, "path": prepared.path, **prepared.notes})
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if command == "check":
            answer([float(value) for value in prepared.check()])
        elif command == "peak":
            answer(machine.peak(prepared.step))
        else:
            answer([time_steps(prepared, float(argument)), sum(os.times()[:4])])


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
