"""Adam and gradient descent of the compiled kernels, bit for bit the NumPy reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cpu_cases import (
    FLOATS,
    ISAS,
    assert_same_bits,
    hard_values,
    instruction_set,
    misaligned,
    needs_kernels,
    thread_count,
)

from twingrad import functional as F
from twingrad.functional.adam import adam_control
from twingrad.fusable import fused

pytestmark = needs_kernels
State = list[np.ndarray[Any, Any]]
RULES = {
    "adam": lambda step: adam_control(step=step, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8),
    "adam-l2": lambda step: adam_control(step=step, lr=1e-2, beta1=0.9, beta2=0.99, eps=1e-8, l2=0.1),
    "adam-l2-underflows": lambda step: adam_control(step=step, lr=1e-2, beta1=0.9, beta2=0.99, eps=1e-8, l2=1e-60),
    "adamw": lambda step: adam_control(step=step, lr=1e-3, beta1=0.8, beta2=0.999, eps=1e-6, shrink=0.99),
    "both": lambda step: adam_control(step=step, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, l2=0.1, shrink=0.9),
    "sgd": lambda step: (0.1 / step, 0.0),
    "sgd-l2": lambda step: (0.1 / step, 1e-2),
}


def state_of(rule: str, n: int, dtype: str) -> State:
    """theta and the moments, from which the gradient comes second: the arguments of the rule's function."""
    theta, grad = hard_values(n, dtype, seed=n), hard_values(n, dtype, seed=n + 1)
    if rule.startswith("sgd"):
        return [theta, grad]
    return [theta, grad, hard_values(n, dtype, seed=n + 2), hard_values(n, dtype, seed=n + 3, positive=True)]


def steps(rule: str, state: State, segments: np.ndarray[Any, Any], mode: str, count: int = 3, offset: int = 0) -> State:
    """The state after `count` steps on copies of it."""
    update: Callable[..., None] = F.sgd_segments if rule.startswith("sgd") else F.adam_segments
    arrays = [misaligned(array, offset + i) for i, array in enumerate(state)]
    for step in range(1, count + 1):
        control = np.tile(np.array(RULES[rule](step)), (len(segments), 1))
        with fused(mode), np.errstate(all="ignore"):
            update(*arrays, segments, control)
    return arrays


def whole(n: int) -> np.ndarray[Any, Any]:
    return np.array([[0, n]])


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("isa", ISAS)
def test_equals_the_reference(isa: str, dtype: str, rule: str) -> None:
    with instruction_set(isa):
        for n in (*range(71), 32767, 70_001):
            state = state_of(rule, n, dtype)
            want = steps(rule, state, whole(n), "never")
            for got, expected in zip(steps(rule, state, whole(n), "require", offset=n % 5), want, strict=True):
                assert_same_bits(got, expected)


@pytest.mark.parametrize("rule", RULES)
def test_does_not_depend_on_threads_or_on_the_order_of_segments(rule: str) -> None:
    n, rng = 150_000, np.random.default_rng(1)
    cuts = np.sort(rng.choice(n, 40, replace=False))
    segments = np.stack([cuts[:-1], np.diff(cuts) - rng.integers(0, 2, 39)], axis=1)
    segments[::5, 1] = 0
    state = state_of(rule, n, "float32")
    want = steps(rule, state, segments, "never")
    for threads in (1, 2, 3, 5):
        with thread_count(threads):
            got = steps(rule, state, rng.permutation(segments), "require")
            for a, b in zip(got, want, strict=True):
                assert_same_bits(a, b)


def test_each_segment_has_its_scalars_and_the_rest_is_left_alone() -> None:
    theta, grad = np.ones(10, np.float32), np.ones(10, np.float32)
    with fused("require"):
        F.sgd_segments(theta, grad, np.array([[1, 3], [4, 0], [6, 2]]), np.array([[0.5, 0], [9, 9], [0.25, 0]]))
    assert theta.tolist() == [1, 0.5, 0.5, 0.5, 1, 1, 0.75, 0.75, 1, 1]


def test_the_gradient_may_be_read_only() -> None:
    theta, grad = np.ones(5), np.ones(5)
    grad.flags.writeable = False
    with fused("require"):
        F.sgd_segments(theta, grad, whole(5), np.array([[0.5, 0.0]]))
        with pytest.raises(Exception, match="theta is read-only"):
            F.sgd_segments(grad, theta, whole(5), np.array([[0.5, 0.0]]))
    assert theta.tolist() == [0.5] * 5
