"""`adam_update`, `adamw_update` and `sgd_update` against PyTorch, on every library, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

from twingrad import FusedError, Tensor, fused
from twingrad import functional as F
from twingrad.functional.adam import adam_control
from twingrad.functional.sgd import sgd_control

from numerics import ulps

STEPS = 100
BOUNDS = {"float64": 1e-12, "float32": 8 * 2.0**-23}
"""How far parameters may be from PyTorch's after 100 steps, relative to the largest value that they took on the way: in
float32, 8 ulps of it (5 measured; PyTorch rounds in another order), in float64 1e-12 (6.1e-16 measured)."""


class Rule(NamedTuple):
    """An update rule by name, its options, and the name and options of PyTorch's optimizer."""

    name: str
    options: dict[str, float]
    torch_name: str
    torch_options: dict[str, Any]

    def __repr__(self) -> str:
        return f"{self.name}{self.options}"


RULES = [
    Rule("sgd", {"lr": 0.1}, "SGD", {"lr": 0.1}),
    Rule("sgd", {"lr": 0.1, "weight_decay": 0.05}, "SGD", {"lr": 0.1, "weight_decay": 0.05}),
    Rule("adam", {}, "Adam", {}),
    Rule("adam", {"lr": 0.05, "beta1": 0.8, "beta2": 0.95, "eps": 1e-4}, "Adam",
         {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-4}),
    Rule("adam", {"lr": 0.01, "weight_decay": 0.1}, "Adam", {"lr": 0.01, "weight_decay": 0.1}),
    Rule("adam", {"lr": 0.01, "beta1": 0.0}, "Adam", {"lr": 0.01, "betas": (0.0, 0.999)}),
    Rule("adamw", {}, "AdamW", {}),
    Rule("adamw", {"lr": 0.05, "weight_decay": 0.3}, "AdamW", {"lr": 0.05, "weight_decay": 0.3}),
    Rule("adamw", {"lr": 0.01, "weight_decay": 0.0}, "AdamW", {"lr": 0.01, "weight_decay": 0.0}),
]  # fmt: skip
SHAPES = [(), (1,), (5, 7), (1001,)]


def gradients(shape: tuple[int, ...], dtype: str) -> Iterator[np.ndarray]:
    """Gradients over six orders of magnitude, some of them zero."""
    rng = np.random.default_rng(6)
    for step in range(STEPS):
        g = rng.normal(size=shape) * 10.0 ** rng.integers(-4, 2, shape)
        yield np.asarray(np.where(rng.uniform(size=shape) < 0.05, 0.0, g) if step % 10 else np.zeros(shape), dtype)


def run(rule: Rule, shape: tuple[int, ...], dtype: str, wrap: Callable[[Any], Any] = np.copy) -> tuple[Any, ...]:
    """The parameter, m and v after 100 steps."""
    param = wrap(np.asarray(np.random.default_rng(7).normal(size=shape), dtype))
    m, v = wrap(np.zeros(shape, dtype)), wrap(np.zeros(shape, dtype))
    for step, g in enumerate(gradients(shape, dtype), start=1):
        given: Any = wrap(g)
        if rule.name == "sgd":
            F.sgd_update(param, given, **rule.options)
        else:
            getattr(F, f"{rule.name}_update")(param, given, m, v, step=step, **rule.options)
    return param, m, v


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("rule", RULES, ids=repr)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_100_steps_against_torch(rule: Rule, shape: tuple[int, ...], dtype: str, path: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of optimizers; it comes with the extra `oracle`")
    param = torch.tensor(np.asarray(np.random.default_rng(7).normal(size=shape), dtype))
    optimizer = getattr(torch.optim, rule.torch_name)([param], foreach=False, **rule.torch_options)
    largest = float(np.max(np.abs(param.numpy())))
    for g in gradients(shape, dtype):
        param.grad = torch.tensor(g)
        optimizer.step()
        largest = max(largest, float(np.max(np.abs(param.numpy()))))
    found = run(rule, shape, dtype)[0]
    assert np.max(np.abs(found - param.numpy())) <= BOUNDS[dtype] * largest


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_the_two_paths_give_the_same_bits(rule: Rule, dtype: str, path: str) -> None:
    found = run(rule, (1001,), dtype)
    with fused("never"):
        reference = run(rule, (1001,), dtype)
    assert [ulps(a, b) for a, b in zip(found, reference, strict=True)] == [0, 0, 0]


@pytest.mark.parametrize("rule", RULES[::3], ids=repr)
def test_every_library(rule: Rule, library: Any) -> None:
    dtype = library.floats[-1]
    found = run(rule, (5, 7), dtype, wrap=library.writable)
    with fused("never"):
        expected = run(rule, (5, 7), dtype)
    for mine, reference in zip(found, expected, strict=True):
        assert ulps(library.numpy(mine), reference) == 0


def test_a_read_only_gradient_is_fine(path: str) -> None:
    g = np.ones(3)
    g.flags.writeable = False
    p, m, v = np.zeros((3, 3))
    F.adam_update(p, g, m, v, step=1)
    F.sgd_update(p, g, lr=0.1)
    assert np.allclose(p, -0.101)


@pytest.mark.oracle
def test_torch_tensors_take_the_reference_path() -> None:
    torch = pytest.importorskip("torch", reason="updating PyTorch's tensors needs PyTorch; see the extra `oracle`")
    p, m, v = (torch.zeros(3, dtype=torch.float64) for _ in range(3))
    F.adam_update(p, torch.ones(3, dtype=torch.float64), m, v, step=1, lr=0.1)
    assert np.allclose(p.numpy(), -0.1)


@pytest.mark.parametrize("rule", ["adam", "adamw", "sgd"])
def test_tensors_are_updated_in_their_memory(rule: str, path: str) -> None:
    data = np.ones(3)
    p, g = Tensor(data, requires_grad=True), Tensor(np.ones(3))
    if rule == "sgd":
        F.sgd_update(p, g, lr=0.1)
    else:
        getattr(F, f"{rule}_update")(p, g, Tensor(np.zeros(3)), Tensor(np.zeros(3)), step=1, lr=0.1, weight_decay=0.0)
    assert p.data is data
    assert np.allclose(data, 0.9)
    assert (p.version, g.version) == (1, 0)


def spoiled(name: str, array: Any) -> Callable[[], None]:
    """An Adam step of which one array is replaced."""

    def call() -> None:
        arrays: dict[str, Any] = {k: np.zeros((2, 3)) for k in ("param", "grad", "m", "v")}
        arrays[name] = array
        F.adam_update(*arrays.values(), step=1)

    return call


def read_only(name: str) -> Callable[[], None]:
    array = np.zeros((2, 3))
    array.flags.writeable = False
    return spoiled(name, array)


ZERO, M = np.zeros((2, 4)), np.zeros(4)
BAD = {
    "read-only param": (read_only("param"), "adam updates param in place, but the array is read-only"),
    "read-only m": (read_only("m"), "updates m in place, but the array is read-only"),
    "read-only v": (read_only("v"), "updates v in place, but the array is read-only"),
    "param not contiguous": (spoiled("param", np.zeros((3, 2)).T), "updates param in place, which needs a C-cont"),
    "m not contiguous": (spoiled("m", np.zeros((2, 4))[:, 1:]), "updates m in place, which needs a C-contiguous"),
    "dtype of grad": (spoiled("grad", np.zeros((2, 3), np.float32)), r"grad has shape \(2, 3\) and dtype float32"),
    "dtype of v": (spoiled("v", np.zeros((2, 3), np.float32)), "v has shape .* float32, param"),
    "shape of grad": (spoiled("grad", np.zeros((3, 2))), r"grad has shape \(3, 2\)"),
    "shape of m": (spoiled("m", np.zeros(6)), r"m has shape \(6,\)"),
    "integers": (lambda: F.sgd_update(np.zeros(2, int), np.zeros(2, int), lr=0.1), "param has dtype int64"),
    "complex": (lambda: F.sgd_update(np.zeros(2, complex), np.zeros(2, complex), lr=0.1), "complex128"),
    "step 0": (lambda: F.adam_update(*np.zeros((4, 2)), step=0), "counts its steps from 1.*got step 0"),
    "step -1": (lambda: F.adamw_update(*np.zeros((4, 2)), step=-1), "got step -1"),
    "one moment": (lambda: F.adam_update(ZERO[0], ZERO[1], M, M, step=1), "keeps m from step .*, and v is the same"),
    "m is grad": (lambda: F.momentum_update(ZERO[0], M, M, step=1, lr=0.1, momentum=0.9), "and grad is the same array"),
    "flat table": (lambda: F.sgd_segments(*ZERO, None, np.zeros((1, 3), int), np.zeros((1, 9))), r"\(S, 2\)"),
    "short control": (lambda: F.sgd_segments(*ZERO, None, np.zeros((2, 2), int), np.zeros((1, 9))), r"\(S, 2\)"),
    "not flat": (lambda: F.sgd_segments(ZERO, ZERO, None, np.zeros((1, 2), int), np.zeros((1, 9))), "flat arrays"),
}  # fmt: skip


@pytest.mark.parametrize("label", BAD)
def test_bad_input(label: str, path: str) -> None:
    call, message = BAD[label]
    with pytest.raises(ValueError, match=message):
        call()


NAN, INF = float("nan"), float("inf")
UPDATES: dict[str, tuple[Callable[..., None], int, dict[str, Any], str]] = {
    "adam": (F.adam_update, 4, {"step": 1}, "lr eps weight_decay beta1 beta2"),
    "adamw": (F.adamw_update, 4, {"step": 1}, "lr eps weight_decay beta1 beta2"),
    "sgd": (F.sgd_update, 2, {"lr": 0.1}, "lr weight_decay"),
    "momentum": (F.momentum_update, 3, {"step": 1, "lr": 0.1}, "lr weight_decay momentum"),
    "rmsprop": (F.rmsprop_update, 3, {"step": 1}, "lr eps weight_decay alpha"),
}
"""Each update, its number of arrays, what must be given, and its hyperparameters."""
HYPERPARAMETERS = [(rule, name) for rule, (*_, names) in UPDATES.items() for name in names.split()]


@pytest.mark.parametrize(("rule", "name"), HYPERPARAMETERS)
@pytest.mark.parametrize("value", [NAN, INF, -INF, -1e-8, 1.0, "0.1", None, [0.1]], ids=repr)
def test_bad_hyperparameters_are_refused_by_name_and_write_nothing(rule: str, name: str, value: Any) -> None:
    update, count, given, _ = UPDATES[rule]
    arrays, shares = np.ones((count, 3)), ("beta1", "beta2", "alpha", "momentum")
    if value == 1.0 and name not in shares:
        update(*arrays, **given | {name: value})
        assert np.isfinite(arrays).all()
        return
    range_of = r"in \[0, 1\)" if name in shares else "a finite number of at least 0"
    error, wanted = (ValueError, range_of) if isinstance(value, float) else (TypeError, "a number")
    with pytest.raises(error, match=f"^{rule}: {name} must be {wanted}, got "):
        update(*arrays, **given | {name: value})
    assert (arrays == 1).all()


def test_nesterov_with_a_bias_correction_is_refused() -> None:
    with pytest.raises(ValueError, match="not defined; choose one"):
        F.momentum_update(*np.ones((3, 2)), step=1, lr=0.1, nesterov=True, bias_correction=True)


@pytest.mark.parametrize("step", [1.0, 1.5, float("nan"), "1", None, True], ids=repr)
def test_a_step_that_is_no_integer(step: Any) -> None:
    with pytest.raises(TypeError, match="step must be an int; got"):
        F.adam_update(*np.zeros((4, 2)), step=step)


def test_a_gradient_that_is_not_contiguous_is_read_in_order() -> None:
    g = np.arange(6.0).reshape(3, 2).T
    p = np.zeros((2, 3))
    F.sgd_update(p, g, lr=1.0)
    assert np.array_equal(p, -g)


def test_an_evenly_strided_param_is_updated_in_its_memory() -> None:
    room = np.ones((2, 6))
    F.sgd_update(room[:, ::2], np.ones((2, 3)), lr=0.5)
    assert np.array_equal(room, np.tile([0.5, 1.0], (2, 3)))


@pytest.mark.parametrize("segment", [(-1, 2), (0, 11), (10, 1), (11, 0), (3, -1), (2**62, 2**62)], ids=str)
@pytest.mark.parametrize("first", [(0, 1), (2, 0)], ids=str)
def test_segments_outside_the_array_are_refused(segment: tuple[int, int], first: tuple[int, int], path: str) -> None:
    p, g = np.ones((2, 10))
    segments, control = np.asarray([first, segment]), np.asarray([sgd_control(step=1, lr=0.1)] * 2)
    message = f"the segment of {segment[1]} elements from {segment[0]} is outside of an array of 10"
    with pytest.raises(ValueError, match=f"sgd: {message}"):
        F.sgd_segments(p, g, None, segments, control)
    with pytest.raises(ValueError, match=f"clip: {message}"):
        F.clip_segments(g, segments, control, np.zeros(1), max_norm=1.0)
    assert (p == 1).all()


SEGMENTS = np.asarray([[0, 3], [5, 0], [7, 2]])


@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_only_the_segments_are_updated(rule: str, path: str) -> None:
    p, g, m, v = np.ones((4, 10))
    if rule == "sgd":
        control = [sgd_control(step=1, lr=lr) for lr in (0.1, 9.0, 0.2)]
        F.sgd_segments(p, g, None, SEGMENTS, np.asarray(control))
    else:
        rows = [adam_control(step=1, lr=lr, beta1=0.0, beta2=0.0, eps=0.0) for lr in (0.1, 9.0, 0.2)]
        F.adam_segments(p, g, m, v, SEGMENTS, np.asarray(rows))
    assert np.allclose(p, [0.9, 0.9, 0.9, 1, 1, 1, 1, 0.8, 0.8, 1])
    assert np.array_equal(g, np.ones(10))


@pytest.mark.parametrize("dtype", ["float16"])
def test_a_dtype_without_kernels_takes_the_reference_path(dtype: str) -> None:
    p, g = np.ones(3, dtype), np.ones(3, dtype)
    F.sgd_update(p, g, lr=0.5)
    assert p.dtype == dtype
    assert np.array_equal(p, np.full(3, 0.5, dtype))
    with fused("require"), pytest.raises(FusedError, match=r"sgd_segments would take the reference path"):
        F.sgd_update(p, g, lr=0.5)
