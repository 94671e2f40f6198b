"""Trials in processes of their own. They compute and answer; the parent alone writes."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from twingrad.functional.checks import number
from twingrad.threads import use_threads
from twingrad.train import Diverged, Interrupted
from twingrad.tune.report import Pruned, Report
from twingrad.tune.store import DIVERGED, PRUNED

Objective = Callable[[dict[str, Any], Report], float]
Outcome = tuple[float | None, str, float]
"""The value or None, why there is none, and the seconds."""


def outcome_of(objective: Objective, values: dict[str, Any], report: Report) -> Outcome:
    """What a trial comes to. Raises what the objective raises, beside Pruned and Diverged."""
    begin = time.perf_counter()
    try:
        value = number("search: what the objective returns", objective(values, report))
    except Pruned:
        return None, PRUNED, time.perf_counter() - begin
    except Diverged:
        return None, DIVERGED, time.perf_counter() - begin
    seconds = time.perf_counter() - begin
    return (value, "", seconds) if value == value and abs(value) != float("inf") else (None, DIVERGED, seconds)


class Worker:
    """A process that runs one trial at a time; `index` is that of the one under way, None where it waits."""

    def __init__(self, objective: Objective, threads: int) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would share a GPU's context with its parent
        self.here, there = context.Pipe()
        self.process = context.Process(target=work, args=(there, objective, threads), daemon=True)
        try:
            self.process.start()
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise TypeError(
                f"an objective for several workers must be a function of a module, or an object of a class of one, for "
                f"other processes load it by name: {error}"
            ) from error
        there.close()
        self.index: int | None = None

    def give(self, index: int, values: dict[str, Any]) -> None:
        """Have it run a trial."""
        self.index = index
        self.tell((index, values))

    def tell(self, answer: object) -> None:
        """Send it something; where it has died, the next look at it finds that."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.here.send(answer)

    def stop(self) -> None:
        """End it at once: it writes nothing."""
        self.process.kill()
        self.process.join()
        self.here.close()


def work(there: Connection, objective: Objective, threads: int) -> None:
    """The process's main function: trials as they come, until the parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()

    def tell(value: float, step: int) -> bool:
        there.send(("report", (value, step)))
        answer: bool = there.recv()
        return answer

    try:
        with use_threads(threads):
            while True:
                index, values = there.recv()
                try:
                    there.send(("done", outcome_of(objective, values, Report(index, tell))))
                except (EOFError, OSError, Interrupted):
                    raise
                except Exception as error:
                    there.send(("error", (error if _travels(error) else None, traceback.format_exc())))
    except (EOFError, OSError, Interrupted):
        sys.exit(1)


def _leave_with_parent() -> None:
    """A worker does not outlive a parent that was killed: the trial is handed out again by the next one."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _travels(error: Exception) -> bool:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return False
    return True
