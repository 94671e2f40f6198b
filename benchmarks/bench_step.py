"""A whole training step of a dense network: captured, eager and reference against PyTorch's eager step.

    python -m twingrad.benchmarks.bench_step     # contenders in processes of their own, interleaved
    pytest benchmarks/bench_step.py              # the same in few rounds

Linear, batch norm, ReLU and dropout for each hidden layer, softmax cross-entropy, Adam; one batch, given anew at each
step. From equal weights and with dropout off, the losses of the first steps must agree before anything is timed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

import twingrad as tg
from twingrad import functional as F
from twingrad import nn, optim
from twingrad.benchmarks import driver, machine
from twingrad.benchmarks.worker import Prepared

Case = dict[str, Any]
CASES: dict[str, Case] = {
    "784-512-512-10, batch 128": {"widths": [784, 512, 512, 10], "batch": 128, "dropout": 0.2, "batch_norm": True},
    "64-64-32-10, batch 64": {"widths": [64, 64, 32, 10], "batch": 64, "dropout": 0.2, "batch_norm": True},
}
LR = 1e-3
STEPS = 5
"""Steps whose losses are compared."""


def batch(case: Case) -> tuple[Any, Any]:
    """One batch of noise: x (N, features) float32, y (N,) int64."""
    rng = np.random.default_rng(0)
    shape = (case["batch"], case["widths"][0])
    return rng.standard_normal(shape, np.float32), rng.integers(0, case["widths"][-1], case["batch"])


def initial(case: Case) -> list[Any]:
    """The weights that every contender starts from, (out, in) for each Linear; biases start at 0."""
    rng = np.random.default_rng(1)
    pairs = pairwise(case["widths"])
    return [(rng.standard_normal((out, n)) * (2 / n) ** 0.5).astype(np.float32) for n, out in pairs]


def layers(case: Case, linear: Any, norm: Any, relu: Any, drop: Any, dropout: float) -> list[Any]:
    """The layers in order, of whichever library: Linear, [batch norm], ReLU, [dropout] for each hidden layer."""
    *hidden, last = pairwise(case["widths"])
    found = []
    for n, out in hidden:
        found += [linear(n, out), *([norm(out)] if case["batch_norm"] else []), relu()]
        found += [drop(dropout)] if dropout else []
    return [*found, linear(*last)]


def twingrad_step(case: Case, dropout: float, mode: str, captured: bool) -> Callable[[], Any]:
    machine.require_kernels(mode)
    model = nn.Sequential(*layers(case, nn.Linear, nn.BatchNorm, nn.ReLU, nn.Dropout, dropout), seed=0)
    for layer, weight in zip((one for one in model if isinstance(one, nn.Linear)), initial(case), strict=True):
        layer.weight = weight
    optimizer, data = optim.Adam(model, lr=LR), batch(case)

    def plain(x: Any, y: Any) -> Any:
        loss = F.softmax_cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step = tg.capture(plain) if captured else plain

    def run() -> Any:
        with tg.fused(mode):
            return step(*data)

    return run


def torch_step(case: Case, dropout: float, **how: bool) -> Callable[[], Any]:
    torch = machine.require("torch")
    parts = layers(case, torch.nn.Linear, torch.nn.BatchNorm1d, torch.nn.ReLU, torch.nn.Dropout, dropout)
    model = torch.nn.Sequential(*parts)
    with torch.no_grad():
        for layer, weight in zip(
            (one for one in model if isinstance(one, torch.nn.Linear)), initial(case), strict=True
        ):
            layer.weight.copy_(torch.from_numpy(weight))
            layer.bias.zero_()
    optimizer = torch.optim.Adam(model.parameters(), lr=LR, **how)
    x, y = (torch.from_numpy(array) for array in batch(case))

    def run() -> Any:
        loss = torch.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return run


def contender(make: Callable[..., Callable[[], Any]], case: Case, **how: Any) -> Prepared:
    """A step with the case's dropout to time; another without dropout, from equal weights, to compare losses by."""

    def check() -> Sequence[float]:
        run = make(case, 0.0, **how)
        return [float(run().detach()) for _ in range(STEPS)]

    return Prepared(make(case, case["dropout"], **how), check)


def agree(case: Case, checks: Mapping[str, Sequence[float]]) -> None:
    """Captured equals eager to the bit; all others to the rounding of sums in another order."""
    if {"captured", "eager"} <= checks.keys():
        assert checks["captured"] == checks["eager"], "captured and eager losses differ"
    first, *rest = checks
    for who in rest:
        np.testing.assert_allclose(checks[who], checks[first], rtol=2e-4, err_msg=f"losses of {first} and {who}")
    for who, losses in checks.items():
        assert losses[-1] < losses[0], f"{who} does not learn: {losses}"


WORKLOAD = driver.Workload(
    name="step",
    module="twingrad.benchmarks.bench_step",
    cases=CASES,
    contenders={
        "captured": partial(contender, twingrad_step, mode="require", captured=True),
        "eager": partial(contender, twingrad_step, mode="require", captured=False),
        "reference": partial(contender, twingrad_step, mode="never", captured=False),
        "PyTorch eager, fused Adam": partial(contender, torch_step, fused=True),
        "PyTorch eager, default Adam": partial(contender, torch_step),
    },
    base="captured",
    agree=agree,
)


def test_step_beside_peers(beside_peers: Callable[..., None], case: str) -> None:
    """The contenders' losses agree, each in its own process; prints their table."""
    beside_peers(WORKLOAD, case)


if __name__ == "__main__":
    raise SystemExit(driver.main(WORKLOAD))
