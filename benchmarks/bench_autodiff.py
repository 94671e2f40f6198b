"""What recording costs: small operations on the tape, beside bare NumPy, PyTorch's eager autograd and HIPS autograd.

    python -m twingrad.benchmarks.bench_autodiff    # contenders in processes of their own, interleaved
    pytest benchmarks/bench_autodiff.py             # one process, pytest-benchmark

A step is 1000 operations, so that milliseconds a step are microseconds an operation. Arrays have about ten elements:
what is timed is not arithmetic. NumPy records nothing, and its gradients are written by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import repeat
from types import SimpleNamespace
from typing import Any

import numpy as np

from twingrad import Tensor, xp
from twingrad import functional as F
from twingrad.benchmarks import driver, machine
from twingrad.benchmarks.worker import Prepared

Case = dict[str, Any]
REPEATS = 1000


def chain(kit: Any, x: Any, w: Any, b: Any) -> Any:
    """Seven operations: sum(x tanh(x w + b) + exp(-b))."""
    return kit.sum(x * kit.tanh(x * w + b) + kit.exp(-b))


def slopes(kit: Any, x: Any, w: Any, b: Any) -> list[Any]:
    """The gradients of `chain`, by hand."""
    t = kit.tanh(x * w + b)
    inner = x * (1 - t * t)
    return [t + inner * w, inner * x, inner - kit.exp(-b)]


OPERATIONS: dict[str, tuple[Callable[..., Any], int]] = {
    "x + y": (lambda kit, x, y: x + y, 2),
    "x * y": (lambda kit, x, y: x * y, 2),
    "x * 2.0": (lambda kit, x: x * 2.0, 1),
    "-x": (lambda kit, x: -x, 1),
    "exp(x)": (lambda kit, x: kit.exp(x), 1),
    "a @ b": (lambda kit, a, b: a @ b, 2),
    "sum(x)": (lambda kit, x: kit.sum(x), 1),
    "x[1:]": (lambda kit, x: x[1:], 1),
    "x / y": (lambda kit, x, y: x / y, 2),
    "x ** 2": (lambda kit, x: x**2, 1),
    "where(x > y, x, y)": (lambda kit, x, y: kit.where(x > y, x, y), 2),
    "max(x)": (lambda kit, x: kit.max(x), 1),
    "mean(x)": (lambda kit, x: kit.mean(x), 1),
    "clip(x, -1, 1)": (lambda kit, x: kit.clip(x, -1.0, 1.0), 1),
    "reshape(x, (2, 5))": (lambda kit, x: kit.reshape(x, (2, 5)), 1),
    "concat([x, y])": (lambda kit, x, y: kit.concat([x, y]), 2),
    "relu(x)": (lambda kit, x: kit.relu(x), 1),
    "functional.tanh(x)": (lambda kit, x: kit.tanh_of_functional(x), 1),
    "chain": (chain, 3),
}
"""Each with the number of its arrays: vectors of ten elements, or matrices of 3 x 3 for the product."""

XP = ("exp", "tanh", "sum", "where", "max", "mean", "clip", "reshape", "concat")
TORCH = {"max": "amax", "clip": "clamp", "concat": "cat"}
"""PyTorch's names, where they are others."""

PLAIN = ("x * y", "exp(x)", "clip(x, -1, 1)", "relu(x)", "functional.tanh(x)")
CASES: dict[str, Case] = {
    **{f"{name}, recorded": {"operation": name, "kind": "recorded"} for name in OPERATIONS},
    "x * y, recorded, float32": {"operation": "x * y", "kind": "recorded", "dtype": "float32"},
    "chain, forward and backward": {"operation": "chain", "kind": "backward"},
    **{f"{name}, plain arrays": {"operation": name, "kind": "plain"} for name in PLAIN},
}


def arrays(case: Case) -> list[np.ndarray[Any, Any]]:
    """The operation's inputs."""
    rng = np.random.default_rng(0)
    shape = (3, 3) if "@" in case["operation"] else (10,)
    count = OPERATIONS[case["operation"]][1]
    return [rng.normal(size=shape).astype(case.get("dtype", "float64")) for _ in range(count)]


def prepared(call: Callable[[], Any], values: Callable[[Any], Sequence[Any]]) -> Prepared:
    """A contender that does `call` a thousand times a step; `values` reads the arrays of its result."""

    def step() -> None:
        for _ in repeat(None, REPEATS):
            call()

    return Prepared(step, lambda: [float(v) for array in values(call()) for v in np.ravel(array)])


def twingrad_autodiff(case: Case) -> Prepared:
    kit = SimpleNamespace(**{name: getattr(xp, name) for name in XP}, relu=F.relu, tanh_of_functional=F.tanh)
    run = partial(OPERATIONS[case["operation"]][0], kit)
    if case["kind"] == "plain":
        return prepared(partial(run, *arrays(case)), lambda out: [out])
    inputs = [Tensor(a, requires_grad=True) for a in arrays(case)]
    if case["kind"] == "recorded":
        return prepared(partial(run, *inputs), lambda out: [out.numpy()])

    def both() -> Any:
        for tensor in inputs:
            tensor.grad = None
        loss = run(*inputs)
        loss.backward()
        return loss

    return prepared(both, lambda loss: [loss.numpy(), *(tensor.grad for tensor in inputs)])


def numpy_autodiff(case: Case) -> Prepared:
    kit = SimpleNamespace(
        **{name: getattr(np, name) for name in XP}, relu=lambda x: np.maximum(x, 0), tanh_of_functional=np.tanh
    )
    run, inputs = partial(OPERATIONS[case["operation"]][0], kit), arrays(case)
    if case["kind"] == "backward":
        return prepared(lambda: [run(*inputs), *slopes(kit, *inputs)], list)
    return prepared(partial(run, *inputs), lambda out: [out])


def torch_autodiff(case: Case) -> Prepared:
    torch = machine.require("torch")
    kit = SimpleNamespace(**{name: getattr(torch, TORCH.get(name, name)) for name in (*XP, "relu")})
    kit.tanh_of_functional = torch.tanh
    run = partial(OPERATIONS[case["operation"]][0], kit)
    recorded = case["kind"] != "plain"
    inputs = [torch.from_numpy(a).requires_grad_(recorded) for a in arrays(case)]
    if case["kind"] != "backward":
        return prepared(partial(run, *inputs), lambda out: [out.detach().numpy()])

    def both() -> Any:
        for tensor in inputs:
            tensor.grad = None
        loss = run(*inputs)
        loss.backward()
        return loss

    return prepared(both, lambda loss: [loss.detach().numpy(), *(tensor.grad.numpy() for tensor in inputs)])


def hips_autodiff(case: Case) -> Prepared:
    """HIPS autograd records within a trace: its operations are timed inside one that stays open."""
    autograd, its = machine.require("autograd"), machine.require("autograd.numpy")
    core, tracer = machine.require("autograd.core"), machine.require("autograd.tracer")
    kit = SimpleNamespace(**{name: getattr(its, "concatenate" if name == "concat" else name) for name in XP})
    kit.relu, kit.tanh_of_functional = (lambda x: its.maximum(x, 0)), its.tanh
    run, inputs = partial(OPERATIONS[case["operation"]][0], kit), arrays(case)
    if case["kind"] == "plain":
        return prepared(partial(run, *inputs), lambda out: [out])
    if case["kind"] == "recorded":
        trace = tracer.trace_stack.new_trace().__enter__()
        boxes = [tracer.new_box(a, trace, core.VJPNode.new_root()) for a in inputs]
        return prepared(partial(run, *boxes), lambda out: [out._value])
    both = autograd.value_and_grad(run, tuple(range(len(inputs))))
    return prepared(lambda: both(*inputs), lambda found: [found[0], *found[1]])


def agree(case: Case, checks: Mapping[str, Sequence[float]]) -> None:
    """All give the same numbers, within a few roundings of the dtype."""
    rounding = 1e-5 if case.get("dtype") == "float32" else 1e-13
    (first, expected), *rest = checks.items()
    for who, found in rest:
        np.testing.assert_allclose(found, expected, rtol=rounding, atol=rounding, err_msg=f"{who} and {first}")


WORKLOAD = driver.Workload(
    name="autodiff",
    module="twingrad.benchmarks.bench_autodiff",
    cases=CASES,
    contenders={
        "twingrad": twingrad_autodiff,
        "NumPy": numpy_autodiff,
        "PyTorch": torch_autodiff,
        "HIPS autograd": hips_autodiff,
    },
    base="twingrad",
    agree=agree,
    layout="rows",
)


def test_autodiff(benchmark: Any, case: str) -> None:
    """Time twingrad alone, after its numbers were found to be NumPy's."""
    ours = twingrad_autodiff(CASES[case])
    agree(CASES[case], {"twingrad": ours.check(), "NumPy": numpy_autodiff(CASES[case]).check()})
    benchmark.pedantic(ours.step, rounds=15, warmup_rounds=3)


def test_autodiff_beside_peers(beside_peers: Callable[..., None], case: str) -> None:
    """The contenders agree, each in its own process; prints their table."""
    beside_peers(WORKLOAD, case)


if __name__ == "__main__":
    raise SystemExit(driver.main(WORKLOAD))
