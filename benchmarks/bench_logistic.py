"""A step of logistic regression: a loop over examples and inputs, vectorised, and fused.

    python -m twingrad.benchmarks.bench_logistic         # contenders in processes of their own, interleaved
    pytest benchmarks/bench_logistic.py                  # the contenders agree

    a = sigma(x w + b)    J = -mean(y log a + (1 - y) log(1 - a))    dw = x^T (a - y) / m    db = mean(a - y)

The course's first program, and its reason for vectorising. `examples/logistic_regression.py` tells it as a story.
A step must read x once: 4 bytes an element.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import twingrad as tg
from twingrad import functional as F
from twingrad import nn, optim
from twingrad.benchmarks import driver, machine
from twingrad.benchmarks.worker import Prepared

Case = dict[str, Any]
Step = Callable[[], float]
CASES: dict[str, Case] = {
    "100 examples of 8 inputs": {"m": 100, "n": 8},
    "1000 examples of 64 inputs": {"m": 1000, "n": 64},
}
LR = 0.5


def table(case: Case) -> tuple[Any, Any]:
    """x (m, n) and y (m,), which x tells in part: so the cost stays finite, however many steps are timed."""
    m, n = case["m"], case["n"]
    rng = np.random.default_rng(0)
    x = rng.standard_normal((m, n), np.float32)
    return x, (x @ rng.standard_normal(n) + math.sqrt(n) * rng.standard_normal(m) > 0).astype(np.float32)


def loop(x: Any, y: Any) -> Step:
    """In plain Python."""
    m, n = x.shape
    x, y, w, b = x.tolist(), y.tolist(), [0.0] * n, [0.0]

    def step() -> float:
        cost, dw, db = 0.0, [0.0] * n, 0.0
        for xi, yi in zip(x, y, strict=True):
            z = b[0]
            for j in range(n):
                z += w[j] * xi[j]
            a = 1 / (1 + math.exp(-z))
            cost -= yi * math.log(a) + (1 - yi) * math.log(1 - a)
            for j in range(n):
                dw[j] += (a - yi) * xi[j]
            db += a - yi
        for j in range(n):
            w[j] -= LR * dw[j] / m
        b[0] -= LR * db / m
        return float(cost / m)

    return step


def vectorised(x: Any, y: Any) -> Step:
    """In NumPy."""
    w, b = np.zeros(x.shape[1], np.float32), np.zeros(1, np.float32)

    def step() -> float:
        a = 1 / (1 + np.exp(-(x @ w + b)))
        cost = -np.mean(y * np.log(a) + (1 - y) * np.log(1 - a))
        w[:] -= LR * (x.T @ (a - y)) / len(x)
        b[:] -= LR * np.mean(a - y)
        return float(cost)

    return step


def fused(x: Any, y: Any) -> Step:
    """A captured step of the library."""
    machine.require_kernels("require")
    model, targets = nn.Linear(x.shape[1], 1, init=nn.init.zeros), y[:, None]
    optimizer = optim.SGD(model, lr=LR)

    def step() -> Any:
        cost = F.binary_cross_entropy(model(x), targets)
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
        return cost

    captured = tg.capture(step)
    return lambda: float(captured())


def contender(make: Callable[[Any, Any], Step]) -> Callable[[Case], Prepared]:
    """What makes a step, as the driver asks for it; the first five costs are what all must agree on."""

    def prepare(case: Case) -> Prepared:
        step = make(*table(case))
        return Prepared(step, lambda: [step() for _ in range(5)], traffic=4 * case["m"] * case["n"])

    return prepare


def agree(case: Case, checks: Mapping[str, Sequence[float]]) -> None:
    """The same costs, to float32's rounding."""
    for who, costs in checks.items():
        np.testing.assert_allclose(costs, checks["loop"], rtol=1e-5, err_msg=who)


WORKLOAD = driver.Workload(
    name="logistic",
    module="twingrad.benchmarks.bench_logistic",
    cases=CASES,
    contenders={
        "fused": contender(fused),
        "vectorised": contender(vectorised),
        "loop": contender(loop),
    },
    base="fused",
    agree=agree,
)


def test_logistic(beside_peers: Callable[..., None], case: str) -> None:
    """The contenders agree, each in its own process; prints their table."""
    beside_peers(WORKLOAD, case)


if __name__ == "__main__":
    raise SystemExit(driver.main(WORKLOAD))
