"""A claim: what is measured with each seed, and what is stated of it."""

from __future__ import annotations

import runpy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import twingrad as tg
from twingrad.benchmarks import machine
from twingrad.benchmarks.claims.intervals import interval

EXAMPLES = Path(__file__).parents[2] / "examples"
SEEDS = range(20)
"""Fixed before anything was measured."""

Measure = Callable[[int], Mapping[str, float]]
"""seed -> numbers by name; all that is random in it comes from the seed."""


@dataclass(frozen=True)
class Statement:
    """The mean of `value` over the seeds is above `bound`: it holds where the whole 95% interval is.

    text: what the reader sees; value: a number of what one seed measured.
    """

    text: str
    value: Callable[[Mapping[str, float]], float]
    bound: float = 0.0
    sign: int = 1

    def judge(self, measured: Sequence[Mapping[str, float]]) -> dict[str, Any]:
        """{"states", "bound", "mean", "low", "high", "seeds_that_agree", "verdict"}."""
        values = [self.value(each) for each in measured]
        found, agree = interval(values), sum(self.sign * (value - self.bound) > 0 for value in values)
        low, high = sorted(self.sign * (end - self.bound) for end in (found.low, found.high))
        verdict = "holds" if low > 0 else "contradicted" if high < 0 else "undecided"
        ends = {"mean": found.mean, "low": found.low, "high": found.high}
        return {"states": self.text, "bound": self.bound, **ends, "seeds_that_agree": agree, "verdict": verdict}


def less(a: str, b: str) -> Statement:
    """a is less than b, compared within each seed: the interval is of b - a."""
    return Statement(f"{a} < {b} (difference)", lambda measured: measured[b] - measured[a])


def at_least(name: str, bound: float) -> Statement:
    """The number is above the bound."""
    return Statement(f"{name} > {bound:g}", lambda measured: measured[name], bound)


def at_most(name: str, bound: float) -> Statement:
    """The number is below the bound."""
    return Statement(f"{name} < {bound:g}", lambda measured: measured[name], bound, -1)


@dataclass(frozen=True)
class Claim:
    """text: the claim in a sentence. measure: an experiment. states: what must hold of its numbers."""

    text: str
    measure: Measure
    states: Sequence[Statement]
    seeds: Sequence[int] = SEEDS

    def run(
        self, seeds: Sequence[int] | None = None, tell: Callable[[str], None] = lambda line: None
    ) -> dict[str, Any]:
        """Measure with every seed, on one thread, and judge: the content of a result file.

        A seed whose measurement raises is told in "failed"; then no statement is judged to hold.
        """
        measured: dict[int, Mapping[str, float]] = {}
        failed: dict[str, str] = {}
        start = time.perf_counter()
        for seed in self.seeds if seeds is None else seeds:
            try:
                with tg.use_device("cpu"), tg.use_threads(1):
                    measured[seed] = {name: float(value) for name, value in self.measure(seed).items()}
            except Exception as error:  # an experiment that fails is a result, and is reported
                failed[str(seed)] = f"{type(error).__name__}: {error}"
            told = failed.get(str(seed)) or ", ".join(f"{k} {v:.4g}" for k, v in measured[seed].items())
            tell(f"seed {seed}: {told}")
        rows = list(measured.values())
        judged = [statement.judge(rows) for statement in self.states] if len(rows) > 1 else []
        if failed:
            judged = [each | {"verdict": "not shown: seeds failed"} for each in judged]
        return {
            "claim": self.text,
            "seeds": list(measured),
            "failed": failed,
            "statements": judged,
            "measured": {name: [row[name] for row in rows] for name in (rows[0] if rows else ())},
            "seconds": round(time.perf_counter() - start, 1),
            "machine": machine.describe(),
        }


def example(name: str, function: str = "measure") -> Measure:
    """That function of examples/NAME.py, which is loaded when it is first called: a checkout is needed."""

    def measure(seed: int) -> Mapping[str, float]:
        if name not in _loaded:
            _loaded[name] = runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name=name)
        found: Mapping[str, float] = _loaded[name][function](seed)
        return found

    return measure


_loaded: dict[str, dict[str, Any]] = {}
