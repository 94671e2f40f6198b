"""What slips in notes of the course lead to, beside what is right: the numbers that docs/course.md quotes.

The slip is written out in plain Python; what is right comes from the library.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

import twingrad as tg
from twingrad import functional as F
from twingrad import gan
from twingrad.analysis import diagnose
from twingrad.nn import init
from twingrad.optim import EWA, schedules

GRADIENTS = (0.1, 0.2, -0.3)
ONE_TO_FOUR = np.asarray([1.0, 2.0, 3.0, 4.0])


def adam_by(v_of, s_of, *, gradients=GRADIENTS, write_back=False):
    """w after each step from 1 with alpha 0.1, and V after its correction; the rules for V and S are given."""
    w, v, s, weights, corrected = 1.0, 0.0, 0.0, [], []
    for t, g in enumerate(gradients, start=1):
        v = v_of(v, g)
        s = s_of(s, g, v)
        v_hat, s_hat = v / (1 - 0.9**t), s / (1 - 0.999**t)
        w -= 0.1 * v_hat / (math.sqrt(s_hat) + 1e-8) if s_hat >= 0 else math.nan
        v, s = (v_hat, s_hat) if write_back else (v, s)
        weights.append(w)
        corrected.append(v_hat)
    return weights, corrected


def first(v, g):
    return 0.9 * v + 0.1 * g


def second(s, g, v):
    return 0.999 * s + 0.001 * g * g


def test_adam_as_it_should_be():
    weights, _ = adam_by(first, second)
    assert weights == pytest.approx([0.90000001, 0.80348181, 0.81014171], abs=5e-9)


def test_adam_that_averages_the_gradient_with_itself():
    """V = beta1 dW + (1 - beta1) dW is dW: no memory; S = beta2 dW + (1 - beta2) dW^2 turns negative."""
    weights, _ = adam_by(lambda v, g: 0.9 * g + 0.1 * g, lambda s, g, v: 0.999 * g + 0.001 * g * g)
    assert weights[:2] == pytest.approx([0.98999, 0.97947], abs=6e-6)
    assert math.isnan(weights[2])


def test_adam_whose_s_decays_v():
    """S = beta V + (1 - beta) dW^2."""
    weights, _ = adam_by(first, lambda s, g, v: 0.999 * v + 0.001 * g * g)
    assert weights[0] == pytest.approx(0.99684, abs=5e-6)


def test_adam_with_corrected_moments_written_back():
    """A constant gradient of 1: V should stay 1 and steps 0.1."""
    weights, v = adam_by(first, second, gradients=(1.0,) * 4, write_back=True)
    assert v == pytest.approx([1, 5.26, 17.85, 47.0], abs=0.05)
    steps = -np.diff([1.0, *weights])[:3]
    assert steps == pytest.approx([0.1, 0.0235, 0.0044], abs=5e-5)
    weights, v = adam_by(first, second, gradients=(1.0,) * 4)
    assert v == pytest.approx([1.0] * 4)
    assert -np.diff([1.0, *weights]) == pytest.approx([0.1] * 4)


def test_one_epsilon_in_two_places():
    """Inside the root 1e-8 counts as 1e-4: equally strong are eps inside and its root outside."""
    for s, ratio in ((0.0, 1e4), (1e-10, 10.04)):
        assert math.sqrt(s + 1e-8) / (math.sqrt(s) + 1e-8) == pytest.approx(ratio, rel=1e-3)
    for form, eps in (("outside", 1e-8), ("inside", 1e-16)):
        w, m, v = np.zeros(1), np.ones(1), np.zeros(1)
        F.adam_update(w, np.zeros(1), m, v, step=1, lr=1e-8, beta1=0.5, eps=eps, eps_form=form)
        assert w[0] == pytest.approx(-1.0)  # V is 0.5, corrected 1; S is 0


@pytest.mark.oracle
def test_dampening_is_not_the_form_of_the_course():
    """PyTorch's first step is undampened."""
    torch = pytest.importorskip("torch", reason="PyTorch (extra `oracle`) is not installed")
    theirs = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
    optimizer, seen = torch.optim.SGD([theirs], lr=0.1, momentum=0.9, dampening=0.9), []
    w, m, ours = np.ones(1), np.zeros(1), []
    for t, g in enumerate(GRADIENTS, start=1):
        theirs.grad = torch.tensor([g], dtype=torch.float64)
        optimizer.step()
        seen.append(theirs.item())
        F.momentum_update(w, np.asarray([g]), m, step=t, lr=0.1, form="course")
        ours.append(w[0])
    assert seen == pytest.approx([0.99, 0.979, 0.9721], rel=1e-12)
    assert ours == pytest.approx([0.999, 0.9961, 0.99649], rel=1e-12)


def test_an_average_of_three_values_ends_with_the_first():
    """v3 = 0.1 theta3 + 0.09 theta2 + 0.081 theta1: weights that sum to 1 - beta^3, and v1 enters, not v itself."""
    weights = [EWA(0.9, bias_correction=False).over(unit)[-1] for unit in np.eye(3)]
    assert weights == pytest.approx([0.081, 0.09, 0.1], rel=1e-14)
    assert sum(weights) == pytest.approx(0.271, rel=1e-14)


def test_decay_without_the_one():
    """alpha0 / (rate epoch) is one epoch late, and divides by 0 in the first."""
    right = schedules.InverseTime(0.2, decay=1.0)
    assert [0.2 / epoch for epoch in (1, 2, 3, 4)] == pytest.approx([0.2, 0.1, 0.0667, 0.05], abs=5e-5)
    assert [right(0, epoch) for epoch in (1, 2, 3, 4)] == pytest.approx([0.1, 0.0667, 0.05, 0.04], abs=5e-5)


def test_a_penalty_without_the_learning_rate():
    """W 2, lambda 0.5, m 10, alpha 0.1, dW 0.3."""
    w = np.asarray([2.0])
    F.sgd_update(w, np.asarray([0.3]), lr=0.1, weight_decay=0.05)
    assert w[0] == pytest.approx(1.96)
    without, twice = 2 - 0.05 * 2 - 0.1 * 0.3, (1 - 0.1 * 0.05) * 2 - 0.1 * (0.3 + 0.05 * 2)
    assert (without, twice) == pytest.approx((1.87, 1.95))


def test_the_norm_of_a_matrix():
    """W^T W is a matrix; its trace is the sum of squares."""
    w = np.asarray([[1, -2], [3, 0]])
    assert (w.T @ w).tolist() == [[10, -2], [-2, 4]]
    assert np.trace(w.T @ w) == (w**2).sum() == 14


def test_a_mask_from_the_normal_distribution():
    """randn() < keep_prob keeps Phi(keep_prob)."""
    for keep, share, times in ((0.8, 0.78814, 0.98518), (0.5, 0.69146, 1.38292)):
        phi = (1 + math.erf(keep / math.sqrt(2))) / 2
        assert (phi, phi / keep) == pytest.approx((share, times), abs=5e-6)
        kept = F.dropout(np.ones(200_000), p=1 - keep, seed=0, stream=0, step=0) > 0
        assert kept.mean() == pytest.approx(keep, abs=0.005)


def test_weights_that_are_all_positive():
    """rand * sqrt(1/100): 100 inputs of 1 give 5 on average, and a twelfth of the variance."""
    even = tg.random.uniform((200, 100), seed=0, stream=0) * math.sqrt(1 / 100)
    assert even.sum(axis=1).mean() == pytest.approx(5.0, abs=0.05)
    assert even.var() == pytest.approx(0.01 / 12, rel=0.02)
    drawn = init.lecun_normal((200, 100), seed=0, stream=0)
    assert drawn.sum(axis=1).mean() == pytest.approx(0.0, abs=0.3)
    assert drawn.var() == pytest.approx(0.01, rel=0.05)


def test_normalising_by_other_numbers():
    """Divided by the variance, 1.25, the variance becomes 0.8; without centring sigma^2 is 7.5, and 0.1667."""
    centred = ONE_TO_FOUR - 2.5
    assert (centred / centred.var()).var() == pytest.approx(0.8)
    uncentred = (ONE_TO_FOUR**2).mean()
    assert uncentred == 7.5
    assert (ONE_TO_FOUR / math.sqrt(uncentred)).var() == pytest.approx(0.1667, abs=5e-5)
    assert (centred / centred.std()).var() == pytest.approx(1.0)


def test_gamma_and_beta_interchanged():
    """beta = sqrt(sigma^2 + eps) and gamma = 1 give neither z nor its normalised values."""
    for gamma, beta, expected in (
        (1.0, math.sqrt(1.25), [-0.2236, 0.6708, 1.5652, 2.4597]),
        (math.sqrt(1.25), 2.5, [1, 2, 3, 4]),
        (1.0, 0.0, [-1.3416, -0.4472, 0.4472, 1.3416]),
    ):
        given = (np.asarray([gamma]), np.asarray([beta]), np.zeros(1), np.ones(1))
        found = F.batch_norm(ONE_TO_FOUR[:, None], *given, training=True, eps=0.0)
        assert found[:, 0].tolist() == pytest.approx(expected, abs=5e-5)


def test_a_difference_divided_from_left_to_right():
    """(J(+) - J(-)) / 2 * eps, for theta^3 with eps 0.01."""
    difference = 1.01**3 - 0.99**3
    assert difference / 2 * 0.01 == pytest.approx(0.00030001, abs=1e-12)
    assert difference / (2 * 0.01) == pytest.approx(3.0001, abs=1e-10)


def test_the_gradient_of_a_bias_needs_its_axis():
    """(n,) beside (n, m) fails, and for n = m adds along the wrong axis."""
    b, z = np.asarray([1.0, 2.0]), np.zeros((2, 3))
    with pytest.raises(ValueError, match="broadcast"):
        z + b
    assert (np.zeros((2, 2)) + b).tolist() == [[1, 2], [1, 2]]
    assert (np.zeros((2, 2)) + b[:, None]).tolist() == [[1, 1], [2, 2]]


def test_ranges_of_mini_batches():
    """X{1} is 0 to 999 and X{2} 1000 to 1999; one column keeps its axis as a slice."""
    assert tg.data.batch_bounds(3000, 1000)[:2] == [(0, 1000), (1000, 2000)]
    assert (np.zeros((4, 5))[:, 1].shape, np.zeros((4, 5))[:, 1:2].shape) == ((4,), (4, 1))


def test_the_loss_of_a_negative_example():
    """log(yhat - 1) has no value for a probability."""
    with np.errstate(invalid="ignore"):
        assert np.isnan(np.log(0.2 - 1))
    assert float(F.binary_cross_entropy(np.log([0.2 / 0.8]), np.zeros(1))) == pytest.approx(0.22314, abs=5e-6)


def test_the_derivative_of_softmax_beside_its_diagonal():
    """a (1 - a) is the diagonal alone: all other entries, -a_i a_j, are not 0."""
    z = np.asarray([5.0, 2.0, -1.0, 3.0])
    a, jacobian = F.softmax(z), tg.jacobian(F.softmax)(z)
    np.testing.assert_allclose(np.diag(jacobian), a * (1 - a), rtol=1e-12)
    assert np.abs(jacobian - np.diag(np.diag(jacobian))).max() == pytest.approx(0.0959555, abs=5e-8)


def test_powers_of_the_factor_of_deep_networks():
    """Nine factors before the last layer, ten with it; a matrix filled with 1.5 multiplies by 1.5 n."""
    to_the_last, with_it = (np.linalg.matrix_power(1.5 * np.eye(2), n)[0, 0] for n in (9, 10))
    assert (to_the_last, with_it) == pytest.approx((38.44, 57.67), abs=6e-3)
    powers = [np.linalg.matrix_power(np.full((2, 2), value), 10) @ np.ones(2) for value in (1.5, 0.5)]
    assert [power.tolist() for power in powers] == [[59049, 59049], [1, 1]]


def test_the_cycle_with_a_bracket_elsewhere():
    """G 2x, F y/2 + 0.25, X {0, 1}, Y {0, 2}: |F(G(x)) - x|, not |F(G(x) - x)|."""
    there, back = (lambda x: 2 * x), (lambda y: y / 2 + 0.25)
    x, y = np.asarray([0.0, 1.0]), np.asarray([0.0, 2.0])
    assert np.abs(back(there(x) - x)).mean() + np.abs(there(back(y) - y)).mean() == pytest.approx(1.5)
    assert gan.cycle_loss(x, back(there(x)), y, there(back(y))) == pytest.approx(0.75)


def test_cases_of_bias_and_variance():
    """Train and dev error: 15/16 is bias; 5/16 would be both, and 15/14 a variance of -1."""
    for train, dev, bias, variance in ((0.15, 0.16, 0.15, 0.01), (0.05, 0.16, 0.05, 0.11), (0.15, 0.14, 0.15, -0.01)):
        found = diagnose(human=0.0, train=train, dev=dev)
        assert (found.avoidable_bias, found.variance) == pytest.approx((bias, variance))
