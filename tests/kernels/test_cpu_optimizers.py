"""The optimizers of the compiled kernels, bit for bit the NumPy reference."""

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
from twingrad.functional.clip import FACTOR
from twingrad.functional.rmsprop import rmsprop_control
from twingrad.functional.sgd import sgd_control
from twingrad.fusable import fused

pytestmark = needs_kernels
State = list[Any]
ADAM = {"lr": 1e-2, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8}
ALL = {"factor": 0.7, "limit": 0.9, "l2": 0.1, "shrink": 0.9, "threshold": 1e-3, "blend": 0.3}
"""Every term around a rule; the last is of the average alone."""

RULES: dict[str, tuple[Any, str, Callable[[int], tuple[float, ...]]]] = {
    "adam": (F.adam_segments, "mv", lambda step: adam_control(step=step, **ADAM)),
    "adam-l2": (F.adam_segments, "mv", lambda step: adam_control(step=step, **ADAM, l2=0.1)),
    "adam-l2-underflows": (F.adam_segments, "mv", lambda step: adam_control(step=step, **ADAM, l2=1e-60)),
    "adamw": (F.adam_segments, "mv", lambda step: adam_control(step=step, **ADAM, shrink=0.99)),
    "both": (F.adam_segments, "mv", lambda step: adam_control(step=step, **ADAM, l2=0.1, shrink=0.9)),
    "adam-inside": (F.adam_segments, "mv", lambda step: adam_control(step=step, **ADAM, eps_form="inside")),
    "adam-all": (F.adam_segments, "mv", lambda step: adam_control(step=step, **ADAM, **ALL)),
    "sgd": (F.sgd_segments, "-", lambda step: sgd_control(step=step, lr=0.1 / step)),
    "sgd-l2": (F.sgd_segments, "-", lambda step: sgd_control(step=step, lr=0.1 / step, l2=1e-2)),
    "sgd-all": (F.sgd_segments, "-", lambda step: sgd_control(step=step, lr=0.1, **ALL)),
    "sgd-l1-underflows": (F.sgd_segments, "-", lambda step: sgd_control(step=step, lr=0.1, threshold=1e-60)),
    "momentum": (F.sgd_segments, "m", lambda step: sgd_control(step=step, lr=0.1, momentum=0.9)),
    "momentum-all": (
        F.sgd_segments,
        "m",
        lambda step: sgd_control(step=step, lr=0.1, momentum=0.9, **ALL),
    ),
    "nesterov": (F.sgd_segments, "m", lambda step: sgd_control(step=step, lr=0.1, momentum=0.9, nesterov=True)),
    "rmsprop": (F.rmsprop_segments, "v--", lambda step: rmsprop_control(step=step, lr=0.1, alpha=0.9, eps=1e-8)),
    "rmsprop-all": (
        F.rmsprop_segments,
        "v--",
        lambda step: rmsprop_control(
            step=step, lr=0.1, alpha=0.9, eps=1e-8, eps_form="inside", bias_correction=True, **ALL
        ),
    ),
    "rmsprop-momentum": (
        F.rmsprop_segments,
        "vm-",
        lambda step: rmsprop_control(step=step, lr=0.1, alpha=0.9, eps=1e-8, momentum=0.9),
    ),
    "rmsprop-centered": (
        F.rmsprop_segments,
        "v-m",
        lambda step: rmsprop_control(step=step, lr=0.1, alpha=0.9, eps=1e-8),
    ),
    "rmsprop-both": (
        F.rmsprop_segments,
        "vmm",
        lambda step: rmsprop_control(step=step, lr=0.1, alpha=0.9, eps=1e-8, momentum=0.9, **ALL),
    ),
}
"""The update, its moments (v at least 0, m of any sign, - not there), and the scalars of a step."""


def state_of(rule: str, n: int, dtype: str) -> State:
    """theta, the gradient and the moments: the arguments of the rule's function."""
    kinds = RULES[rule][1]
    values = [hard_values(n, dtype, seed=n + i, positive=i > 1 and kinds[i - 2] == "v") for i in range(2 + len(kinds))]
    return values[:2] + [None if kind == "-" else a for kind, a in zip(kinds, values[2:], strict=True)]


def steps(
    rule: str,
    state: State,
    segments: np.ndarray[Any, Any],
    mode: str,
    count: int = 3,
    offset: int = 0,
    average: Any = None,
) -> State:
    """Copies of what is there of the state, and of the average, after `count` steps."""
    update, _, control_of = RULES[rule]
    *arrays, average = [
        None if array is None else misaligned(array, offset + i) for i, array in enumerate((*state, average))
    ]
    for step in range(1, count + 1):
        control = np.tile(np.array(control_of(step)), (len(segments), 1))
        with fused(mode), np.errstate(all="ignore"):
            update(*arrays, segments, control, average=average)
    return [array for array in (*arrays, average) if array is not None]


def whole(n: int) -> np.ndarray[Any, Any]:
    return np.array([[0, n]])


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("isa", ISAS)
def test_equals_the_reference(isa: str, dtype: str, rule: str) -> None:
    with instruction_set(isa):
        for n in (*range(0, 71, 3), 32767, 70_001):
            state = state_of(rule, n, dtype)
            want = steps(rule, state, whole(n), "never")
            for got, expected in zip(steps(rule, state, whole(n), "require", offset=n % 5), want, strict=True):
                assert_same_bits(got, expected)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("isa", ISAS)
def test_the_average_equals_the_reference_and_changes_nothing_else(isa: str, dtype: str, rule: str) -> None:
    with instruction_set(isa):
        for n in (*range(0, 71, 7), 33_001):
            state, average = state_of(rule, n, dtype), hard_values(n, dtype, seed=9)
            want = steps(rule, state, whole(n), "never", average=average)
            got = steps(rule, state, whole(n), "require", offset=n % 5, average=average)
            for one, expected in zip(got, want, strict=True):
                assert_same_bits(one, expected)
            for one, expected in zip(got[:-1], steps(rule, state, whole(n), "require"), strict=True):
                assert_same_bits(one, expected)


@pytest.mark.parametrize("dtype", FLOATS)
def test_the_average_rests_where_the_weights_rest(dtype: str) -> None:
    theta, grad = np.random.default_rng(0).standard_normal((2, 100)).astype(dtype)
    average, control = theta.copy(), np.asarray([sgd_control(step=1, lr=0.0, blend=1e-4)])
    for _ in range(1000):
        F.sgd_segments(theta, grad, None, whole(100), control, average=average)
    assert_same_bits(average, theta)


@pytest.mark.parametrize("rule", RULES)
def test_does_not_depend_on_threads_or_on_the_order_of_segments(rule: str) -> None:
    n, rng = 150_000, np.random.default_rng(1)
    cuts = np.sort(rng.choice(n, 40, replace=False))
    segments = np.stack([cuts[:-1], np.diff(cuts) - rng.integers(0, 2, 39)], axis=1)
    segments[::5, 1] = 0
    state, average = state_of(rule, n, "float32"), hard_values(n, "float32", seed=9)
    want = steps(rule, state, segments, "never", average=average)
    for threads in (1, 2, 3, 5):
        with thread_count(threads):
            got = steps(rule, state, rng.permutation(segments), "require", average=average)
            for a, b in zip(got, want, strict=True):
                assert_same_bits(a, b)


def test_each_segment_has_its_scalars_and_the_rest_is_left_alone() -> None:
    theta, grad = np.ones(10, np.float32), np.ones(10, np.float32)
    with fused("require"):
        control = np.array([sgd_control(step=1, lr=lr) for lr in (0.5, 9, 0.25)])
        F.sgd_segments(theta, grad, None, np.array([[1, 3], [4, 0], [6, 2]]), control)
    assert theta.tolist() == [1, 0.5, 0.5, 0.5, 1, 1, 0.75, 0.75, 1, 1]


def test_the_gradient_may_be_read_only() -> None:
    theta, grad = np.ones(5), np.ones(5)
    grad.flags.writeable = False
    with fused("require"):
        control = np.array([sgd_control(step=1, lr=0.5)])
        F.sgd_segments(theta, grad, None, whole(5), control)
        with pytest.raises(Exception, match="theta is read-only"):
            F.sgd_segments(grad, theta, None, whole(5), control)
        with pytest.raises(Exception, match="average is read-only"):
            F.sgd_segments(theta, grad, None, whole(5), control, average=grad)
    assert theta.tolist() == [0.5] * 5


@pytest.mark.parametrize("dtype", FLOATS)
def test_clipping_does_not_depend_on_threads_or_instruction_sets(dtype: str) -> None:
    rng = np.random.default_rng(2)
    grad = rng.standard_normal(100_000).astype(dtype)
    segments = np.array([[3, 40_000], [40_100, 0], [50_000, 8192], [60_000, 1]])
    want, norm = np.ones((4, 9)), np.zeros(1)
    F.clip_segments.reference(grad, segments, want, norm, max_norm=3.0, unscale=0.7)
    wide = 0.7 * np.concatenate([grad[o : o + n] for o, n in segments.tolist()]).astype(np.float64)
    assert norm[0] == pytest.approx(np.linalg.norm(wide), rel=1e-14)
    assert want[0, FACTOR] == pytest.approx(0.7 * 3.0 / np.linalg.norm(wide), rel=1e-6)
    assert np.delete(want, FACTOR, axis=1).tolist() == np.ones((4, 8)).tolist()
    for threads in (1, 2, 3):
        for isa in ISAS:
            with thread_count(threads), instruction_set(isa), fused("require"):
                control, found = np.ones((4, 9)), np.zeros(1)
                F.clip_segments(grad, segments, control, found, max_norm=3.0, unscale=0.7)
            assert_same_bits(control, want)
            assert_same_bits(found, norm)
