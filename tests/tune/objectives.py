"""Objectives that other processes can load by name."""

import math
import os
import signal
from multiprocessing.connection import Connection
from pathlib import Path

from twingrad.train import Diverged, History
from twingrad.tune import Choice, Integers, LogUniform, OneMinusLogUniform

SPACE = {
    "lr": LogUniform(1e-4, 1),
    "beta": OneMinusLogUniform(0.9, 0.999),
    "units": Integers(8, 64),
    "kind": Choice("a", "b"),
}


def bowl(values, report):
    """Least at lr 0.01, with kind b."""
    value = (math.log10(values["lr"]) + 2) ** 2 + 0.01 * (values["kind"] == "a")
    for step in range(3):
        report(value + 3 - step)
    return value


def steep(values, report):
    """Diverges above lr 0.1, is not finite below 0.001."""
    if values["lr"] > 0.1:
        raise Diverged("too fast", History())
    return math.nan if values["lr"] < 0.001 else bowl(values, report)


def failing(values, report):
    """Fails at its third trial."""
    if report.index == 2:
        raise KeyError("third")
    return bowl(values, report)


class KillsItself:
    """Its process dies in trial 1, the first `times` times."""

    def __init__(self, folder, times):
        self.folder, self.times = folder, times

    def __call__(self, values, report):
        deaths = len(list(Path(self.folder).glob("death*")))
        if report.index == 1 and deaths < self.times:
            (Path(self.folder) / f"death{deaths}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return bowl(values, report)


class DiesUnanswered:
    """Its process dies once, in trial 1, after it has reported, before it reads the answer."""

    def __init__(self, folder):
        self.mark = Path(folder) / "dead"

    def __call__(self, values, report):
        if report.index == 1 and not self.mark.exists():
            self.mark.touch()
            Connection.recv = lambda connection: os.kill(os.getpid(), signal.SIGKILL)
        return bowl(values, report)
