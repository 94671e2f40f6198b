"""The course's numbers: its network right and with its planted errors, the verdicts, kinks, float32."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from gradient_errors import course_network, forgotten, times

import twingrad as tg
from twingrad import functional as F
from twingrad.gradcheck.differences import elements, quotient
from twingrad.gradcheck.functions import OfFunction

LAMBDA, M = 0.7, 5


def cost_with(w2: float = 1.0, b1: float = 1.0, regularisation: Any = lambda w: w) -> Any:
    """The cost of the 3-4-3 tanh softmax network, with errors planted in its gradients."""
    _, x, y = course_network()

    def cost(W1: Any, b1_: Any, W2: Any, b2: Any) -> Any:
        hidden = F.tanh(F.linear(x, W1, times(b1, b1_)))
        penalty = sum((regularisation(w) * regularisation(w)).sum() for w in (W1, W2))
        return F.softmax_cross_entropy(F.linear(hidden, times(w2, W2), b2), y) + LAMBDA / (2 * M) * penalty

    return cost


def check(**errors: Any) -> tg.gradcheck.GradientReport:
    return tg.check_grads(cost_with(**errors), *course_network()[0], epsilon=1e-7)


def test_the_right_gradient_is_great() -> None:
    report = check()
    assert report.ok
    assert report.verdict == "great"
    assert report.distance < 2e-8  # the course's notes have 2.9e-9 for other initial weights
    assert report.wrong == ()
    assert [each.name for each in report.parameters] == ["W1", "b1_", "W2", "b2"]
    assert [each.coverage for each in report.parameters] == ["12 of 12", "4 of 4", "12 of 12", "3 of 3"]


def test_dw2_doubled_and_db1_times_four() -> None:
    """b1 is off by 3/5 = |4g - g| / (|4g| + |g|). W2, whose penalty is not doubled, by a little less than 1/3."""
    report = check(w2=2.0, b1=4.0)
    assert not report.ok
    assert report.wrong == ("b1_", "W2")
    off = {each.name: each.distance for each in report.parameters}
    assert off["b1_"] == pytest.approx(0.6, abs=1e-6)
    assert 0.1 < off["W2"] < 0.5
    assert max(off["W1"], off["b2"]) < 1e-7
    assert "4 times what it should be" in repr(report)


def test_regularisation_forgotten() -> None:
    report = check(regularisation=forgotten)
    assert report.wrong == ("W1", "W2")
    assert repr(report).count("0.14 times the parameter is missing") == 2


@pytest.mark.parametrize(("factor", "verdict"), [(1 + 1e-9, "great"), (1 + 2e-5, "look again"), (1.01, "WRONG")])
def test_verdicts(factor: float, verdict: str) -> None:
    """A gradient times 1 + d is d / (2 + d) off."""
    report = tg.check_grads(lambda w: (times(factor, w) * np.asarray([1.0, 2.0])).sum(), np.asarray([0.5, -1.0]))
    assert report.verdict == verdict
    assert report.ok == (verdict == "great")


def test_theta_cubed() -> None:
    """At 1 with epsilon 0.01 the two-sided difference is 3.0001; a narrower step then finds 3."""
    problem = OfFunction(lambda theta: theta**3, (1.0,), None)
    line = elements(problem.values[0], 0.01)[0]
    assert quotient(problem, 0, line, 3.0001, 1.0, 1e-16).value == pytest.approx(3.0001, abs=1e-12)
    report = tg.check_grads(lambda theta: theta**3, 1.0, epsilon=0.01)
    assert report.ok
    assert report.worst.difference == pytest.approx(3.0, abs=1e-7)
    assert report.worst.kinks == ()


def test_a_kink_within_epsilon_is_named_and_no_error() -> None:
    """For ReLU at 5e-8 the plain difference at 1e-7 is 0.75: 0.143 off from the right gradient."""
    report = tg.check_grads(F.relu, 5e-8, epsilon=1e-7)
    assert report.ok
    assert report.parameters[0].kinks == ("",)
    assert "kink within the step: x" in repr(report)
    assert tg.check_grads(F.relu, 5e-7, epsilon=1e-7).parameters[0].kinks == ()


@pytest.mark.parametrize("at", [0.0, 1e-15, -1e-15, 1e-12, -3e-10, 9e-9, 5e-7, -9e-7])
@pytest.mark.parametrize("kinked", [F.relu, abs, F.leaky_relu, lambda x: tg.xp.maximum(3.0 * x, x * x)])
def test_kinks(kinked: Any, at: float) -> None:
    """Right gradients at and beside kinks, named unless the difference agrees; a wrong one is found there too."""
    report = tg.check_grads(kinked, at)
    assert report.ok, report
    found = report.parameters[0]
    assert len(found.kinks) + len(found.on_kinks) == (kinked is not abs or at != 0)
    if abs(at) > 1e-9:
        assert found.kinks
    wrong = tg.check_grads(lambda x: kinked(times(-500.0, x)), at)
    assert not wrong.ok or abs(wrong.worst.gradient) < 1e-3  # on the flat side


def test_a_bias_beside_examples_of_zeros() -> None:
    """All units of two layers stand on their kinks for one example; a doubled gradient is found all the same."""
    rng = np.random.default_rng(5)
    x, w1, w2 = rng.normal(size=(8, 3)), rng.normal(size=(4, 3)), rng.normal(size=(2, 4))
    x[0] = 0.0

    def cost(b1: Any, b2: Any, factor: float = 1.0) -> Any:
        hidden = F.leaky_relu(F.linear(x, w1, times(factor, b1)), negative_slope=0.01)
        return F.mean_squared_error(F.leaky_relu(F.linear(hidden, w2, b2)), np.ones((8, 2)))

    report = tg.check_grads(cost, np.zeros(4), np.zeros(2))
    assert report.ok, report
    assert len(report.parameters[0].on_kinks) == 4
    assert "  on a kink, compared beside it: b1[0]" in repr(report).splitlines()
    assert tg.check_grads(functools.partial(cost, factor=2.0), np.zeros(4), np.zeros(2)).wrong == ("b1",)


def test_a_cost_that_hardly_moves() -> None:
    """Of a classifier without a doubt: differences of 1e-6 see nothing of a gradient of 1e-20."""
    logits = np.asarray([[50.0, 0.0], [0.0, 60.0]])
    report = tg.check_grads(lambda z: F.softmax_cross_entropy(z, np.asarray([0, 1])), logits)
    assert 0 < abs(report.worst.gradient) < 1e-20
    assert report.ok
    assert report.parameters[0].rounding > 1
    doubtful = tg.check_grads(lambda z: F.softmax_cross_entropy(times(2.0, z), np.asarray([0, 1])), logits / 3)
    assert not doubtful.ok  # J is 4e-8, in steps of 1e-16


def test_a_cost_in_small_units() -> None:
    """Its rounding is as small as itself: a wrong gradient of 1e-13 is found."""
    x = np.asarray([1e-7, 3e-7, -2e-7])
    assert tg.check_grads(lambda w: (w * x * x).sum(), np.ones(3)).ok
    report = tg.check_grads(lambda w: (times(1.01, w) * x * x).sum(), np.ones(3))
    assert report.wrong == ("w",)


def test_strong_curvature_is_no_kink() -> None:
    report = tg.check_grads(lambda x: tg.xp.sin(1e5 * x), 0.3)
    assert report.ok
    assert report.parameters[0].kinks == ()


def test_float32_is_checked_in_float64() -> None:
    """A right derivative in float32 at 1e-7 is 0.088 off."""
    w = np.asarray([0.5, 1.5], np.float32)
    report = tg.check_grads(lambda w: (w * w * w).sum(), w, epsilon=1e-7)
    assert report.distance < 1e-8
    assert w.dtype == np.float32
