"""A whole training step of a dense network: captured, eager and reference beside PyTorch, torch.compile and JAX.

    python -m twingrad.benchmarks.bench_step     # contenders in processes of their own, interleaved
    pytest benchmarks/bench_step.py              # the same in few rounds

Forward, backward and Adam on one batch, given anew at each step. From equal weights and with dropout off, the losses of
the first steps must agree before anything is timed. A network more is a row of CASES.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import twingrad as tg
from twingrad import functional as F
from twingrad import optim
from twingrad.benchmarks import agreement, driver, jax_step, machine
from twingrad.benchmarks.networks import Case, network, noise, torch_model, twingrad_model
from twingrad.benchmarks.worker import Prepared, nothing

EAGER, PYTORCH, JAX = "PyTorch eager", "PyTorch", "JAX jit"
"""Beginnings of contenders' names; a target of "PyTorch" is one of its quickest mode."""
COMPILED = "PyTorch torch.compile"
NORM: dict[str, Any] = {"batch_norm": True}
CASES: dict[str, Case] = dict(
    [
        network([64, 64, 32, 10], 64, **NORM, dropout=0.2, targets={EAGER: 6, JAX: 3}),
        network([784, 512, 512, 10], 128, targets={PYTORCH: 1.9, JAX: 1.05}),
        network([784, 512, 512, 10], 128, **NORM, dropout=0.2, targets={PYTORCH: 2.5, JAX: 1.3}),
        network([784, 2048, 2048, 2048, 10], 512, **NORM, dropout=0.5, targets={PYTORCH: 2.2, JAX: 1.35}, large=True),
        network([12288, 25, 12, 6], 32, lr=1e-4, targets={PYTORCH: 1.5, JAX: 1.5}),
    ]
)
STEPS = 5
"""Steps whose losses are compared."""

Step = Callable[[], Any]
Made = tuple[Step, Callable[[], Any]]
"""A step that returns its loss, and what waits for the device."""


def twingrad_step(case: Case, dropout: float, mode: str, captured: bool) -> Made:
    machine.require_kernels(mode)
    model = twingrad_model(case, dropout)
    optimizer, data = optim.Adam(model, lr=case["lr"]), noise(case, case["batch"])

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

    return run, nothing


def torch_step(case: Case, dropout: float, compiled: bool = False, **how: bool) -> Made:
    torch = machine.require("torch")
    model = torch_model(case, dropout)
    optimizer = torch.optim.Adam(model.parameters(), lr=case["lr"], **how)
    x, y = (torch.from_numpy(array) for array in noise(case, case["batch"]))

    def forward(x: Any, y: Any) -> Any:
        return torch.nn.functional.cross_entropy(model(x), y)

    loss_of = with_inductor(torch, forward) if compiled else forward

    def run() -> Any:
        loss = loss_of(x, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return run, nothing


def with_inductor(torch: Any, function: Any) -> Any:
    """`torch.compile`; an ImportError with the reason where it finds no C++ compiler, or cannot use it."""
    compiler, *_ = os.environ.get("CXX", "g++").split() or ["g++"]
    if shutil.which(compiler) is None:
        raise ImportError(f"torch.compile needs a C++ compiler, and {compiler} is not found")
    try:
        torch.compile(lambda x: x + 1)(torch.zeros(1))
    except RuntimeError as error:
        raise ImportError(f"torch.compile fails here: {str(error).splitlines()[0]}") from error
    return torch.compile(function)


def contender(make: Callable[..., Made], case: Case, **how: Any) -> Prepared:
    """A step with the case's dropout to time; another without dropout, from equal weights, to compare losses by."""

    def check() -> Sequence[float]:
        run, _ = make(case, 0.0, **how)
        return [float(run()) for _ in range(STEPS)]

    step, wait = make(case, case["dropout"], **how)
    return Prepared(step, check, wait)


def agree(case: Case, checks: agreement.Checks) -> None:
    """Captured equals eager to the bit; all others to the rounding of sums in another order."""
    if {"captured", "eager"} <= checks.keys():
        assert checks["captured"] == checks["eager"], "captured and eager losses differ"
    agreement.losses(checks, rtol=2e-4)


WORKLOAD = driver.Workload(
    name="step",
    module="twingrad.benchmarks.bench_step",
    cases=CASES,
    contenders={
        "captured": partial(contender, twingrad_step, mode="require", captured=True),
        "eager": partial(contender, twingrad_step, mode="require", captured=False),
        "reference": partial(contender, twingrad_step, mode="never", captured=False),
        f"{EAGER}, fused Adam": partial(contender, torch_step, fused=True),
        f"{EAGER}, default Adam": partial(contender, torch_step),
        COMPILED: partial(contender, torch_step, compiled=True, fused=True),
        JAX: partial(contender, jax_step.prepare),
    },
    base="captured",
    agree=agree,
    layout="rows",
    slow=[COMPILED],
)


def test_step_beside_peers(beside_peers: Callable[..., None], case: str) -> None:
    """The contenders' losses agree, each in its own process; prints their table."""
    beside_peers(WORKLOAD, case)


if __name__ == "__main__":
    raise SystemExit(driver.main(WORKLOAD))
