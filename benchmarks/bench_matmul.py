"""The matrix products of a training step, forward and both gradients, in GFLOP/s beside the machine's peak.

    python -m twingrad.benchmarks.bench_matmul                    # contenders in processes of their own, interleaved
    python -m twingrad.benchmarks.bench_matmul --case "forward 128x784 to 512" --rounds 5
    pytest benchmarks/bench_matmul.py                             # the same in few rounds

Each contender writes into an array that it is given, as a captured step does: ours split over the pool, NumPy's and
PyTorch's as they are. The peak is a square product of NumPy's, large enough that nothing else shows.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np

from twingrad import recording
from twingrad.benchmarks import driver, machine
from twingrad.benchmarks.driver import Effort
from twingrad.benchmarks.worker import Prepared

Case = dict[str, Any]
NETWORKS = ((128, (784, 512, 512, 10)), (512, (784, 2048, 2048, 10)), (32, (12288, 25, 12, 6)), (64, (64, 64, 32, 10)))
"""Batches and widths; layers of equal shape once."""

KINDS = ("forward", "dW", "dX")
SQUARE = 1536


def cases() -> dict[str, Case]:
    """Every layer's products; the first layer's input gets no gradient."""
    found = {}
    for batch, widths in NETWORKS:
        for i, (n, out) in enumerate(pairwise(widths)):
            for kind in KINDS if i else KINDS[:2]:
                found[f"{kind} {batch}x{n} to {out}"] = {"kind": kind, "batch": batch, "in": n, "out": out}
    return found


CASES = cases()


def operands(case: Case) -> tuple[Any, Any, bool, bool, Any]:
    """a and b, whether each enters transposed, and where the product goes."""
    rng = np.random.default_rng(0)
    x, weight, grad = (
        rng.standard_normal(shape, np.float32)
        for shape in ((case["batch"], case["in"]), (case["out"], case["in"]), (case["batch"], case["out"]))
    )
    if case["kind"] == "forward":
        return x, weight, False, True, np.empty_like(grad)
    if case["kind"] == "dW":
        return grad, x, True, False, np.empty_like(weight)
    return grad, weight, False, False, np.empty_like(x)


def prepared(case: Case, step: Callable[[], Any], out: Any) -> Prepared:
    """A contender whose result lies in `out`."""

    def check() -> Sequence[float]:
        step()
        values = np.asarray(out).reshape(-1)
        return [float(v) for v in values[:: len(values) // 200 + 1]]

    return Prepared(step, check, notes={"gflop": 2e-9 * case["batch"] * case["in"] * case["out"]})


def split(case: Case) -> Prepared:
    machine.require_kernels("require")
    from twingrad.kernels import cpu
    from twingrad.kernels.cpu.overrides import product

    a, b, ta, tb, out = operands(case)
    with recording.record() as recorded:
        product(out, a, b, ta=ta, tb=tb)
    return prepared(case, cpu.Program(recorded).run, out)


def by_numpy(case: Case) -> Prepared:
    a, b, ta, tb, out = operands(case)
    return prepared(case, partial(np.matmul, a.T if ta else a, b.T if tb else b, out), out)


def by_torch(case: Case) -> Prepared:
    torch = machine.require("torch")
    a, b, ta, tb, out = operands(case)
    left, right, into = (torch.from_numpy(array) for array in (a, b, out))
    left, right = left.T if ta else left, right.T if tb else right
    return prepared(case, lambda: torch.mm(left, right, out=into), out)


def peak(case: Case) -> Prepared:
    a = np.random.default_rng(0).standard_normal((SQUARE, SQUARE), np.float32)
    return Prepared(partial(np.matmul, a, a, np.empty_like(a)), list, notes={"gflop": 2e-9 * SQUARE**3})


def agree(case: Case, checks: Mapping[str, Sequence[float]]) -> None:
    """Every contender's product, to the rounding of sums in another order."""
    seen = {who: np.asarray(values) for who, values in checks.items() if values}
    first = next(iter(seen.values()))
    for who, values in seen.items():
        np.testing.assert_allclose(values, first, rtol=0, atol=1e-5 * float(np.max(np.abs(first))), err_msg=who)


WORKLOAD = driver.Workload(
    name="matmul",
    module="twingrad.benchmarks.bench_matmul",
    cases=CASES,
    contenders={"split": split, "np.matmul": by_numpy, "PyTorch mm": by_torch, "peak": peak},
    base="split",
    agree=agree,
)


def rates(case: dict[str, Any]) -> dict[str, float]:
    """GFLOP/s of each contender, by its median time."""
    return {one["contender"]: 1e3 * one["gflop"] / median(one["rounds_ms"]) for one in case["contenders"]}


def table(result: dict[str, Any]) -> str:
    """A row for each product: GFLOP/s of each contender, and ours as a part of the peak."""
    lines = ["| product | ms | " + " | ".join(WORKLOAD.contenders) + " | part of peak |", "| --- |" + " ---: |" * 6]
    for case in result["cases"]:
        rate = rates(case)
        ms = 1e3 * case["contenders"][0]["gflop"] / rate["split"]
        cells = [f"{rate[who]:.0f}" if who in rate else "" for who in WORKLOAD.contenders]
        lines.append(f"| {case['case']} | {ms:.3g} | {' | '.join(cells)} | {rate['split'] / rate['peak']:.2f} |")
    return "\n".join(lines)


def test_matmul_beside_peers(beside_peers: Callable[..., None], case: str) -> None:
    """The contenders agree, each in its own process; prints their table."""
    beside_peers(WORKLOAD, case)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        raise SystemExit(driver.main(WORKLOAD))
    measured = driver.run(WORKLOAD, Effort(rounds=9, seconds=0.05), tell=lambda line: print(line, file=sys.stderr))
    print(table(measured))
    print(json.dumps(measured["machine"]))
