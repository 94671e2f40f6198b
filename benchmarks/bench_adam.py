"""Adam over one flat array of float32: the fused kernel against its reference, plain NumPy and PyTorch.

    python -m twingrad.benchmarks.bench_adam          # contenders in processes of their own, interleaved, PyTorch too
    pytest benchmarks/bench_adam.py [--device cuda]   # one process, pytest-benchmark

A step must read theta, grad, m, v and write theta, m, v: 28 bytes an element, and "no arithmetic" is a kernel that does
nothing else. 0.67 million parameters are those of
784-512-512-10, and fit in most last-level caches; 25 million are ResNet-50's, and do not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from twingrad import functional as F
from twingrad.benchmarks import agreement, driver, limits, machine
from twingrad.benchmarks.worker import Prepared
from twingrad.fusable import fused

Case = dict[str, Any]
CASES: dict[str, Case] = {
    "0.67 million": {"size": 669_706},
    "25 million": {"size": 25_000_000, "large": True, "targets": {"no arithmetic": 0.95, "PyTorch fused": 1}},
}
BYTES = 28
STEPS = 3
"""Steps before the contenders' parameters are compared."""


def arrays(size: int) -> tuple[Any, Any, Any, Any]:
    """theta and grad drawn from one seed, m and v zero."""
    rng = np.random.default_rng(0)
    theta, grad = rng.standard_normal(size, np.float32), rng.standard_normal(size, np.float32)
    return theta, grad, np.zeros(size, np.float32), np.zeros(size, np.float32)


def sample(theta: Any) -> list[float]:
    """A thousand elements spread over theta: what contenders are compared by."""
    return [float(value) for value in np.asarray(theta[:: max(1, len(theta) // 1000)])]


def prepared(size: int, update: Callable[[int], None], theta: Any) -> Prepared:
    """A contender whose `update(t)` is the step number t on `theta`."""
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        update(steps)

    def check() -> Sequence[float]:
        for _ in range(STEPS):
            step()
        return sample(theta)

    return Prepared(step, check, traffic=BYTES * size)


def twingrad_adam(mode: str, case: Case) -> Prepared:
    machine.require_kernels(mode)
    theta, grad, m, v = arrays(case["size"])

    def update(t: int) -> None:
        with fused(mode):
            F.adam_update(theta, grad, m, v, step=t)

    return prepared(case["size"], update, theta)


def numpy_adam(case: Case) -> Prepared:
    """Adam as one writes it in NumPy, in place."""
    theta, grad, m, v = arrays(case["size"])

    def update(t: int) -> None:
        m[...] = 0.9 * m + (1 - 0.9) * grad
        v[...] = 0.999 * v + (1 - 0.999) * grad**2
        m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
        theta[...] = theta - 1e-3 * m_hat / (np.sqrt(v_hat) + 1e-8)

    return prepared(case["size"], update, theta)


def torch_adam(case: Case, **how: bool) -> Prepared:
    torch = machine.require("torch")
    theta, grad, _, _ = arrays(case["size"])
    parameter = torch.nn.Parameter(torch.from_numpy(theta))
    parameter.grad = torch.from_numpy(grad)
    optimizer = torch.optim.Adam([parameter], lr=1e-3, **how)
    return prepared(case["size"], lambda t: optimizer.step(), theta)


WORKLOAD = driver.Workload(
    name="adam",
    module="twingrad.benchmarks.bench_adam",
    cases=CASES,
    contenders={
        "fused": partial(twingrad_adam, "require"),
        "reference": partial(twingrad_adam, "never"),
        "plain NumPy": numpy_adam,
        "PyTorch fused": partial(torch_adam, fused=True),
        "PyTorch default": torch_adam,
        "no arithmetic": lambda case: limits.moves(arrays(case["size"]), BYTES),
        "copy": lambda case: limits.copy(case["size"]),
    },
    base="fused",
    agree=agreement.updates,
)


def test_adam(benchmark: Any, place: Any, case: str, mode: str) -> None:
    """Time one mode, after the two modes gave the same words from the same start."""
    size = CASES[case]["size"]
    start = tuple(place.asarray(array) for array in arrays(size))
    outcomes = {}
    for each in ("require", "never"):
        outcomes[each] = tuple(array.copy() for array in start)
        for t in range(1, STEPS + 1):
            with fused(each):
                F.adam_update(*outcomes[each], step=t)
    for one, other in zip(outcomes["require"], outcomes["never"], strict=True):
        np.testing.assert_array_equal(place.numpy(one), place.numpy(other))

    theta, grad, m, v = outcomes[mode]

    def step() -> None:
        with fused(mode):
            F.adam_update(theta, grad, m, v, step=STEPS + 1)
        place.synchronise()

    place.time(benchmark, step, traffic=BYTES * size, size=size)


def test_adam_beside_peers(beside_peers: Callable[..., None], case: str) -> None:
    """The contenders agree, each in its own process; prints their table."""
    beside_peers(WORKLOAD, case)


if __name__ == "__main__":
    raise SystemExit(driver.main(WORKLOAD))
