"""A step of every optimizer: fused, reference, and PyTorch's fused and foreach steps.

    python -m twingrad.benchmarks.bench_optimizers [--case "Adam, 25 million"]   # contenders in processes of their own
    pytest benchmarks/bench_optimizers.py [--device cuda]                        # one process, pytest-benchmark

One tensor of 0.67 million parameters (784-512-512-10, which fits in most last-level caches) or of 25 million
(ResNet-50, which does not), and 200 weights of 256x256 with a bias each, as a model with 400 segments. Bytes are those
that a step must read and write: parameter and gradient read, parameter written, each state read and written, 4 each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from twingrad import nn, optim
from twingrad.benchmarks import agreement, bench_adam, driver, limits, machine
from twingrad.benchmarks.worker import Prepared, nothing
from twingrad.fusable import fused
from twingrad.nn.flat import moved

Case = dict[str, Any]
SIZES: dict[str, list[tuple[int, ...]]] = {
    "0.67 million": [(669_706,)],
    "25 million": [(25_000_000,)],
    "200 x (256x256 + 256)": [(256, 256), (256,)] * 200,
}
SMALLEST = next(iter(SIZES))
STEPS = 3
"""Steps before the contenders' parameters are compared."""


class Rule(NamedTuple):
    """An optimizer of `twingrad.optim`, and PyTorch's of the same rule with its options.

    operation: the kernel that it runs. states: how many arrays beside parameter and gradient are read and written.
    fused: whether PyTorch has a fused step of it. clip: the gradient's norm is computed too, which reads it once more.
    average: an exponential average of the weights is kept too, which is read and written; PyTorch's is `AveragedModel`.
    """

    operation: str
    optimizer: str
    options: dict[str, Any]
    states: int
    fused: bool = True
    clip: bool = False
    average: bool = False


RULES = {
    "SGD": Rule("sgd_segments", "SGD", {"lr": 1e-3}, 0),
    "momentum": Rule("sgd_segments", "SGD", {"lr": 1e-3, "momentum": 0.9}, 1),
    "Nesterov": Rule("sgd_segments", "SGD", {"lr": 1e-3, "momentum": 0.9, "nesterov": True}, 1),
    "RMSprop": Rule("rmsprop_segments", "RMSprop", {"lr": 1e-3}, 1, fused=False),
    "RMSprop centered": Rule(
        "rmsprop_segments", "RMSprop", {"lr": 1e-3, "momentum": 0.9, "centered": True}, 3, fused=False
    ),
    "Adam": Rule("adam_segments", "Adam", {"lr": 1e-3}, 2),
    "Adam clipped": Rule("adam_segments", "Adam", {"lr": 1e-3}, 2, clip=True),
    "Adam averaged": Rule("adam_segments", "Adam", {"lr": 1e-3}, 2, average=True),
    "AdamW": Rule("adam_segments", "AdamW", {"lr": 1e-3, "weight_decay": 0.0}, 2),
}
TARGETS = {"Adam, 200 x (256x256 + 256)": {"PyTorch fused": 2}}
CASES: dict[str, Case] = {
    f"{rule}, {size}": {
        "rule": rule,
        "size": size,
        "large": size != SMALLEST,
        "targets": TARGETS.get(f"{rule}, {size}", {}),
    }
    for rule in RULES
    for size in SIZES
}
MAX_NORM = 1.0
EMA = 0.999


def count(case: Case) -> int:
    """The parameters of a case."""
    return sum(int(np.prod(shape)) for shape in SIZES[case["size"]])


def traffic(case: Case) -> int:
    rule = RULES[case["rule"]]
    return 4 * count(case) * (3 + 2 * rule.states + rule.clip + 2 * rule.average)


def values(case: Case) -> list[tuple[Any, Any]]:
    """A value and a gradient for each tensor, drawn from one seed."""
    rng = np.random.default_rng(0)
    shapes = SIZES[case["size"]]
    return [(rng.standard_normal(shape, np.float32), rng.standard_normal(shape, np.float32)) for shape in shapes]


def sample(arrays: Sequence[Any]) -> list[float]:
    """A thousand elements spread over all arrays: what contenders are compared by."""
    every = max(1, sum(array.size for array in arrays) // 1000)
    return [float(value) for array in arrays for value in array.reshape(-1)[::every]]


class Model(nn.Module):
    """Nothing but parameters with gradients."""

    def __init__(self, case: Case, device: str | None = None) -> None:
        given = values(case)
        for i, (value, _) in enumerate(given):
            setattr(self, f"p{i}", nn.Parameter(value))
        if device is not None:
            self.to(device)
        for parameter, (_, gradient) in zip(self.parameters(), given, strict=True):
            parameter.grad = moved(gradient, parameter.data)


def stepper(case: Case, mode: str, device: str | None = None) -> tuple[Callable[[], list[Any]], Callable[[], None]]:
    """What tells a model's weights, and their averages where there are any; and one step of its optimizer."""
    rule, model = RULES[case["rule"]], Model(case, device)
    more = ({"clip_norm": MAX_NORM} if rule.clip else {}) | ({"ema": EMA} if rule.average else {})
    optimizer = getattr(optim, rule.optimizer)(model, **rule.options, **more)

    def step() -> None:
        with fused(mode):
            optimizer.step()

    def weights() -> list[Any]:
        return [parameter.data.copy() for parameter in model.parameters()]

    def weights_and_averages() -> list[Any]:
        with optimizer.averaged():
            averages = weights()
        return weights() + averages

    return weights_and_averages if rule.average else weights, step


def prepared(
    case: Case, step: Callable[[], Any], parameters: Callable[[], Sequence[Any]], before: Callable[[], Any] = nothing
) -> Prepared:
    def check() -> Sequence[float]:
        for _ in range(STEPS):
            before()
            step()
        return sample(parameters())

    return Prepared(step, check, traffic=traffic(case))


def twingrad_step(mode: str, case: Case) -> Prepared:
    machine.require_kernels(mode)
    weights, step = stepper(case, mode)
    return prepared(case, step, weights)


def moves(case: Case) -> Prepared:
    """Adam's bytes and no arithmetic, over flat arrays."""
    if traffic(case) != bench_adam.BYTES * count(case):
        raise ImportError("the kernel that only moves bytes moves those of Adam")
    return limits.moves(bench_adam.arrays(count(case)), bench_adam.BYTES)


def torch_step(how: str, case: Case) -> Prepared:
    torch, rule = machine.require("torch"), RULES[case["rule"]]
    if how == "fused" and not rule.fused:
        raise ImportError(f"PyTorch has no fused {rule.optimizer}")
    given = values(case)
    parameters = [torch.nn.Parameter(torch.from_numpy(value)) for value, _ in given]

    def gradients_anew() -> None:
        """PyTorch's foreach steps and its clipping overwrite them."""
        for parameter, (_, gradient) in zip(parameters, given, strict=True):
            parameter.grad = torch.from_numpy(gradient.copy())

    gradients_anew()
    optimizer = getattr(torch.optim, rule.optimizer)(parameters, **rule.options, **{how: True})
    model = torch.nn.ParameterList(parameters)
    swa = torch.optim.swa_utils
    averaged = swa.AveragedModel(model, multi_avg_fn=swa.get_ema_multi_avg_fn(EMA)) if rule.average else None

    def step() -> None:
        if rule.clip:
            torch.nn.utils.clip_grad_norm_(parameters, MAX_NORM, foreach=True)
        optimizer.step()
        if averaged is not None:
            averaged.update_parameters(model)

    def weights() -> list[Any]:
        both = parameters + (list(averaged.parameters()) if averaged is not None else [])
        return [parameter.detach().numpy() for parameter in both]

    return prepared(case, step, weights, gradients_anew)


WORKLOAD = driver.Workload(
    name="optimizers",
    module="twingrad.benchmarks.bench_optimizers",
    cases=CASES,
    contenders={
        "fused": partial(twingrad_step, "require"),
        "reference": partial(twingrad_step, "never"),
        "PyTorch fused": partial(torch_step, "fused"),
        "PyTorch foreach": partial(torch_step, "foreach"),
        "no arithmetic": moves,
        "copy": lambda case: limits.copy(traffic(case) // 8),
    },
    base="fused",
    agree=agreement.updates,
    layout="rows",
)


def test_optimizers(benchmark: Any, place: Any, case: str, mode: str) -> None:
    """Time one mode, after the two modes gave the same words from the same start."""
    rule = RULES[CASES[case]["rule"]]
    place.needs_kernel(rule.operation, *["clip_segments"] * rule.clip)
    outcomes = {}
    for each in ("require", "never"):
        weights, step = stepper(CASES[case], each, str(place.device))
        for _ in range(STEPS):
            step()
        outcomes[each] = weights, step
    for one, other in zip(*(weights() for weights, _ in outcomes.values()), strict=True):
        np.testing.assert_array_equal(place.numpy(one), place.numpy(other))

    def timed() -> None:
        outcomes[mode][1]()
        place.synchronise()

    told = traffic(CASES[case])
    place.time(benchmark, timed, traffic=told, size=told // 8)


def test_optimizers_beside_peers(beside_peers: Callable[..., None], case: str) -> None:
    """The contenders agree, each in its own process; prints their table."""
    beside_peers(WORKLOAD, case)


if __name__ == "__main__":
    raise SystemExit(driver.main(WORKLOAD))
