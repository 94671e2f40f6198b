"""Every fused kernel, forward and backward, against its reference; those of optimizers are in `bench_optimizers`.

    python -m twingrad.benchmarks.bench_kernels [--case "relu 128x512"]   # each side in a process of its own
    pytest benchmarks/bench_kernels.py [--device cuda]                    # one process, pytest-benchmark

The inputs are the table of `kernel_rows`. Beside them a copy of as many bytes as the kernel must read and write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from twingrad.benchmarks import driver, limits, machine
from twingrad.benchmarks.kernel_rows import ROWS, Step
from twingrad.benchmarks.worker import Prepared

Case = dict[str, Any]
CASES: dict[str, Case] = {name: {"row": name, "large": row.large} for name, row in ROWS.items()}
SAMPLE = 500
"""Elements of each array that the two sides are compared by."""


def traffic(case: Case) -> int:
    step = Step(ROWS[case["row"]])
    return step.row.traffic(step.arrays, step("auto"))


def twingrad_kernel(mode: str, case: Case) -> Prepared:
    machine.require_kernels(mode)
    step, moved = Step(ROWS[case["row"]]), traffic(case)

    def check() -> Sequence[float]:
        arrays = [np.asarray(array).reshape(-1) for array in step(mode)]
        return [float(x) for a in arrays for x in (len(a[:: len(a) // SAMPLE + 1]), *a[:: len(a) // SAMPLE + 1])]

    return Prepared(partial(step, mode), check, traffic=moved)


def agree(case: Case, checks: Mapping[str, Sequence[float]]) -> None:
    """Each array within the row's bound, relative to its largest value; the same bits where the bound is 0."""
    seen = [np.asarray(values) for values in checks.values() if values]
    if len(seen) < 2:
        return
    one, other = seen
    assert one.shape == other.shape, f"{case['row']}: results of other sizes"
    start = 0
    while start < len(one):
        end = start + 1 + int(one[start])
        close(ROWS[case["row"]].bound, one[start:end], other[start:end], case["row"])
        start = end


def close(bound: float, one: Any, other: Any, name: str) -> None:
    """Raise AssertionError unless the arrays are as close as the bound says."""
    if bound == 0.0:
        np.testing.assert_array_equal(one, other, err_msg=name)
    elif one.size:
        np.testing.assert_allclose(one, other, rtol=0, atol=bound * float(np.max(np.abs(other))), err_msg=name)


WORKLOAD = driver.Workload(
    name="kernels",
    module="twingrad.benchmarks.bench_kernels",
    cases=CASES,
    contenders={
        "fused": partial(twingrad_kernel, "require"),
        "reference": partial(twingrad_kernel, "never"),
        "copy": lambda case: limits.copy(traffic(case) // 8),
    },
    base="fused",
    agree=agree,
    layout="rows",
)


def test_kernels(benchmark: Any, place: Any, case: str, mode: str) -> None:
    """Time one mode, after the two modes agreed."""
    row = ROWS[case]
    steps = {each: Step(row, place.asarray) for each in ("require", "never")}
    place.needs_kernel(row.operation)
    found = {each: step(each) for each, step in steps.items()}
    for one, other in zip(found["require"], found["never"], strict=True):
        close(row.bound, place.numpy(one), place.numpy(other), case)

    def step() -> None:
        steps[mode](mode)
        place.synchronise()

    moved = row.traffic(steps[mode].arrays, found[mode])
    place.time(benchmark, step, traffic=moved, size=moved // 8)


def test_kernels_beside_peers(beside_peers: Callable[..., None], case: str) -> None:
    """The two sides agree, each in its own process; prints their table."""
    beside_peers(WORKLOAD, case)


if __name__ == "__main__":
    raise SystemExit(driver.main(WORKLOAD))
