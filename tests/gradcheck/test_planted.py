"""An error in each gradient of every fused kernel is found and named; a kernel without a case here fails."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from gradient_errors import doubled, in_backward, last_element

import twingrad as tg
from twingrad import functional as F
from twingrad.fusable import PROVIDERS, Kernel, registry

from kernels_here import no_kernels

RNG = np.random.default_rng(7)
SOFT = RNG.dirichlet(np.ones(5), 6)
CLASSES, THERE = RNG.integers(0, 5, 6), RNG.random((6, 5)) < 0.8
WEIGHTS = RNG.random(6)
MASKS = {"p": 0.3, "seed": 5, "stream": 2, "step": 9}


def drawn(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    """Normal numbers; the last of each is positive, where ReLU has a slope."""
    found = [RNG.normal(size=shape) for shape in shapes]
    for array in found:
        array.reshape(-1)[-1] = 0.7
    return found


def statistics() -> dict[str, np.ndarray]:
    return {"running_mean": np.zeros(5), "running_var": np.ones(5)}


CASES: dict[str, list[tuple[Callable[..., Any], list[np.ndarray]]]] = {
    "linear": [
        (lambda x, weight, bias: F.linear(x, weight, bias), drawn((6, 5), (3, 5), (3,))),
        (lambda x, weight: F.linear(x, weight), drawn((6, 5), (3, 5))),
    ],
    "relu": [(lambda x: F.relu(x), drawn((6, 5)))],
    "leaky_relu": [(lambda x: F.leaky_relu(x, negative_slope=0.2), drawn((6, 5)))],
    "sigmoid": [(lambda x: F.sigmoid(x), drawn((6, 5)))],
    "tanh": [(lambda x: F.tanh(x), drawn((6, 5)))],
    "softmax": [(lambda x: F.softmax(x), drawn((6, 5)))],
    "layer_norm": [(lambda x, weight, bias: F.layer_norm(x, weight, bias), drawn((6, 5), (5,), (5,)))],
    "embedding": [(lambda weight: F.embedding(CLASSES, weight), drawn((5, 4)))],
    "dropout": [(lambda x: F.dropout(x, **MASKS), drawn((6, 5)))],
    "batch_norm": [
        (
            lambda x, weight, bias, training=training: F.batch_norm(
                x, weight, bias, *statistics().values(), training=training
            ),
            drawn((6, 5), (5,), (5,)),
        )
        for training in (True, False)
    ],
    "softmax_cross_entropy": [
        (lambda logits: F.softmax_cross_entropy(logits, CLASSES), drawn((6, 5))),
        (lambda logits: F.softmax_cross_entropy(logits, SOFT, SOFT[0], WEIGHTS, reduction="none"), drawn((6, 5))),
    ],
    "binary_cross_entropy": [
        (lambda logits: F.binary_cross_entropy(logits, SOFT, mask=THERE), drawn((6, 5))),
        (lambda logits: F.binary_cross_entropy(logits, SOFT, SOFT[0, :2], WEIGHTS, reduction="none"), drawn((6, 5))),
    ],
    "mean_squared_error": [(lambda x: F.mean_squared_error(x, SOFT, WEIGHTS), drawn((6, 5)))],
    "mean_absolute_error": [(lambda x: F.mean_absolute_error(x, SOFT, WEIGHTS), drawn((6, 5)))],
}
"""For each operation whose kernel has a backward: functions of its differentiable arguments, by their names."""

CONVERSIONS = {"narrow", "widen"}
"""Between float32 and bfloat16, by steps that no finite difference sees: their gradients are tested to the bit in
`tests/kernels/test_cuda_bfloat16.py`."""

PLACES = [
    (name, case, place)
    for name, cases in CASES.items()
    for case, (_, arrays) in enumerate(cases)
    for place in range(len(arrays))
]


def kernels_with_backward() -> dict[tuple[str, str], Kernel]:
    """Those of every backend, by backend and operation."""
    for provider in PROVIDERS.values():
        importlib.import_module(provider)
    return {
        (backend, name): kernel
        for name, operation in registry.items()
        for backend, kernel in operation.kernels.items()
        if kernel.backward is not None
    }


def without_case() -> set[str]:
    return {name for _, name in kernels_with_backward()} - CASES.keys() - CONVERSIONS


def as_cost(function: Callable[..., Any], seeds: np.ndarray) -> Callable[..., Any]:
    """The sum of the results, each with a weight of its own."""

    @functools.wraps(function)
    def cost(*arrays: Any) -> Any:
        out = function(*arrays)
        return out if out.shape == () else (out * seeds[: out.size].reshape(out.shape)).sum()

    return cost


def check(name: str, case: int) -> tg.gradcheck.GradientReport:
    function, arrays = CASES[name][case]
    seeds = np.random.default_rng(1).normal(size=100)
    with tg.fused("require"):
        return tg.check_grads(as_cost(function, seeds), *arrays)


@pytest.fixture(autouse=True)
def with_kernels() -> None:
    reason = no_kernels()
    if reason:
        pytest.skip(f"no kernels are registered: {reason}")


def test_every_kernel_with_a_backward_has_a_case() -> None:
    assert without_case() == set()
    assert {name for backend, name in kernels_with_backward() if backend == "cpu"} == set(CASES)


def test_a_kernel_without_a_case_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = F.relu.kernels["cpu"]
    added = tg.fusable.Fusable(F.relu.reference, None)
    added.kernels["cpu"] = kernel
    monkeypatch.setitem(registry, "a_new_operation", added)
    assert without_case() == {"a_new_operation"}


@pytest.mark.parametrize("name", CASES)
def test_right_gradients_are_great(name: str) -> None:
    for case in range(len(CASES[name])):
        report = check(name, case)
        assert report.ok, report
        assert all(each.lines == each.size for each in report.parameters)


@pytest.mark.parametrize("error", [doubled, last_element], ids=["doubled", "last element"])
@pytest.mark.parametrize(("name", "case", "place"), PLACES)
def test_a_planted_error_is_found_and_named(
    monkeypatch: pytest.MonkeyPatch, name: str, case: int, place: int, error: Callable[[Any], Any]
) -> None:
    """In a copy of the kernel: in the gradient of one argument, which alone is called wrong."""
    kernels, parameters = registry[name].kernels, list(registry[name].arguments)
    wanted = list(CASES[name][case][0].__code__.co_varnames)[place]
    monkeypatch.setitem(kernels, "cpu", in_backward(kernels["cpu"], parameters.index(wanted), error))
    report = check(name, case)
    assert report.wrong == (wanted,), report
    if error is doubled:
        assert report.worst.hint == "2 times what it should be"
    else:
        assert report.worst.worst == tuple(n - 1 for n in report.worst.shape)
