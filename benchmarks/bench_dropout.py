"""Dropout, forward and backward, over float32: the fused kernel against its reference, plain NumPy and PyTorch.

    python -m twingrad.benchmarks.bench_dropout          # contenders in processes of their own, interleaved
    pytest benchmarks/bench_dropout.py [--device cuda]   # one process, pytest-benchmark

A step must read x and write y, read the gradient of y and write that of x: 16 bytes an element. The fused kernel
stores no mask: the backward pass draws it again. Peak memory shows it: y and the gradient of x take 8 bytes an element.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from twingrad import Tensor
from twingrad import functional as F
from twingrad.benchmarks import driver, limits, machine
from twingrad.benchmarks.worker import Prepared
from twingrad.fusable import fused

Case = dict[str, Any]
CASES: dict[str, Case] = {
    "1 million": {"size": 1_000_000},
    "16 million": {"size": 16_000_000, "large": True, "targets": {"PyTorch": 2}},
}
BYTES = 16
P = 0.2


def arrays(size: int) -> tuple[Any, Any]:
    """x and the gradient that comes back, without zeros: an output is zero where it was dropped."""
    rng = np.random.default_rng(0)
    return 1 + rng.random(size, np.float32), 1 + rng.random(size, np.float32)


def drop(x: Any, gradient: Any, step: int) -> tuple[Any, Any]:
    """Forward and backward: the output and the gradient of x."""
    leaf = Tensor(x, requires_grad=True)
    y = F.dropout(leaf, p=P, seed=0, stream=0, step=step)
    y.backward(gradient)
    return y.data, leaf.grad


def facts(x: Any, gradient: Any, y: Any, dx: Any) -> list[float]:
    """Size, fraction kept, the two largest errors of the scaling; and a sum that tells one mask from another."""
    kept, scale = y != 0, np.float32(1 / (1 - P))
    errors = [np.abs(out - np.where(kept, a * scale, 0)).max() for out, a in ((y, x), (dx, gradient))]
    return [len(x), float(kept.mean()), *map(float, errors), float(np.flatnonzero(kept).sum())]


def twingrad_dropout(mode: str, case: Case) -> Prepared:
    machine.require_kernels(mode)
    x, gradient = arrays(case["size"])
    count = 0

    def step() -> tuple[Any, Any]:
        nonlocal count
        count += 1
        with fused(mode):
            return drop(x, gradient, count)

    return Prepared(step, lambda: facts(x, gradient, *step()), traffic=BYTES * case["size"])


def numpy_dropout(case: Case) -> Prepared:
    """Dropout as one writes it in NumPy, with a stored mask."""
    x, gradient = arrays(case["size"])
    rng = np.random.default_rng(1)

    def step() -> tuple[Any, Any]:
        mask = (rng.random(x.shape, np.float32) < 1 - P) / np.float32(1 - P)
        return x * mask, gradient * mask

    return Prepared(step, lambda: facts(x, gradient, *step()), traffic=BYTES * case["size"])


def torch_dropout(case: Case) -> Prepared:
    torch = machine.require("torch")
    torch.manual_seed(0)
    x, gradient = (torch.from_numpy(array) for array in arrays(case["size"]))

    def step() -> tuple[Any, Any]:
        leaf = x.detach().requires_grad_()
        y = torch.nn.functional.dropout(leaf, P)
        y.backward(gradient)
        return y.detach().numpy(), leaf.grad.numpy()

    return Prepared(step, lambda: facts(x.numpy(), gradient.numpy(), *step()), traffic=BYTES * case["size"])


def agree(case: Case, checks: Mapping[str, Sequence[float]]) -> None:
    """Each keeps 1 - P of the elements, to five standard deviations, and scales them right; fused is the reference."""
    for who, seen in checks.items():
        if not seen:
            continue
        size, kept, forward, backward, _ = seen
        assert size == case["size"], who
        assert abs(kept - (1 - P)) < 5 * (P * (1 - P) / size) ** 0.5, f"{who} keeps {kept} of the elements"
        assert max(forward, backward) < 1e-6, f"{who} scales with errors {forward} and {backward}"
    if {"fused", "reference"} <= checks.keys():
        assert checks["fused"] == checks["reference"], "fused and reference draw different masks"


WORKLOAD = driver.Workload(
    name="dropout",
    module="twingrad.benchmarks.bench_dropout",
    cases=CASES,
    contenders={
        "fused": partial(twingrad_dropout, "require"),
        "reference": partial(twingrad_dropout, "never"),
        "plain NumPy": numpy_dropout,
        "PyTorch": torch_dropout,
        "copy": lambda case: limits.copy(case["size"]),
    },
    base="fused",
    agree=agree,
    memory=True,
)


def test_dropout(benchmark: Any, place: Any, case: str, mode: str) -> None:
    """Time one mode, after the two modes gave the same words."""
    size = CASES[case]["size"]
    x, gradient = (place.asarray(array) for array in arrays(size))
    outcomes = []
    for each in ("require", "never"):
        with fused(each):
            outcomes.append(drop(x, gradient, 1))
    for one, other in zip(*outcomes, strict=True):
        np.testing.assert_array_equal(place.numpy(one), place.numpy(other))

    def step() -> None:
        with fused(mode):
            drop(x, gradient, 1)
        place.synchronise()

    place.time(benchmark, step, traffic=BYTES * size, size=size)


def test_dropout_beside_peers(beside_peers: Callable[..., None], case: str) -> None:
    """The contenders agree, each in its own process; prints their table."""
    beside_peers(WORKLOAD, case)


if __name__ == "__main__":
    raise SystemExit(driver.main(WORKLOAD))
