"""The worked numbers of the course's notes, each with the digits that the notes need."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from twingrad import Tensor, grad, xp
from twingrad import functional as F
from twingrad.random.draws import keep_threshold


def column(values: Any) -> np.ndarray:
    return np.asarray(values, np.float64)[:, None]


def test_adam_three_steps(path: str) -> None:
    w, m, v = np.ones(1), np.zeros(1), np.zeros(1)
    seen = []
    for step, g in enumerate([0.1, 0.2, -0.3], start=1):
        F.adam_update(w, np.asarray([g]), m, v, step=step, lr=0.1)
        seen.append(w[0])
    assert seen == pytest.approx([0.900000009999999, 0.803481813521253, 0.81014171477095], rel=1e-14)
    assert m[0] == pytest.approx(-0.0039, rel=1e-13)
    assert v[0] == pytest.approx(1.3994001e-4, rel=1e-13)


@pytest.mark.parametrize(("g", "share"), [(1e-3, 0.99999), (1e-4, 0.9999), (1e-6, 0.990), (1.0, 1.0)])
def test_adams_first_step_is_the_learning_rate(g: float, share: float, path: str) -> None:
    """Epsilon stands outside the root: a gradient of 1e-6 still moves by 99% of the learning rate."""
    w = np.zeros(1)
    F.adam_update(w, np.asarray([g]), np.zeros(1), np.zeros(1), step=1, lr=0.5)
    assert -w[0] / 0.5 == pytest.approx(share, abs=1e-4)


def test_a_constant_gradient_keeps_adams_step(path: str) -> None:
    w, m, v = np.zeros(1), np.zeros(1), np.zeros(1)
    for step in range(1, 5):
        before = w[0]
        F.adam_update(w, np.ones(1), m, v, step=step, lr=0.1)
        assert before - w[0] == pytest.approx(0.1, rel=1e-7)


def test_weight_decay(path: str) -> None:
    """W 2, lambda 0.5, m 10, alpha 0.1, dW 0.3: the learning rate multiplies the penalty too."""
    w = np.asarray([2.0])
    F.sgd_update(w, np.asarray([0.3]), lr=0.1, weight_decay=0.5 / 10)
    assert w[0] == pytest.approx(1.96, rel=1e-15)


def test_gradient_descent_on_the_quadratic(path: str) -> None:
    w = np.zeros(1)
    slope = grad(lambda w: xp.sum(w**2 - 10 * w + 25))
    for step in range(1, 1002):
        F.sgd_update(w, slope(w), lr=0.01)
        if step in (1, 2, 10):
            assert w[0] == pytest.approx(5 * (1 - 0.98**step), rel=1e-13)
    assert w[0] == pytest.approx(4.999999991753459, rel=1e-14)


def test_softmax_of_four_logits(path: str) -> None:
    z = np.asarray([[5.0, 2.0, -1.0, 3.0]])
    tensor = Tensor(z, requires_grad=True)
    loss = F.softmax_cross_entropy(tensor, np.asarray([1]))
    loss.backward()
    assert float(loss) == pytest.approx(3.1719354, abs=5e-8)
    a = tensor.grad[0] + [0.0, 1.0, 0.0, 0.0]
    assert a.tolist() == pytest.approx([0.84203357, 0.04192238, 0.00208719, 0.11395685], abs=5e-9)


def test_softmax_jacobian_row() -> None:
    """Row 1 is diag(y) - y y^T: the derivative of softmax is y (1 - y) on the diagonal only."""

    def first(z: Any) -> Any:
        t = xp.exp(z)
        return t[0] / xp.sum(t)

    row = grad(first)(np.asarray([5.0, 2.0, -1.0, 3.0]))
    assert row.tolist() == pytest.approx([0.13301304, -0.03530005, -0.00175749, -0.09595550], abs=5e-9)


def test_loss_of_given_probabilities(path: str) -> None:
    """yhat (0.3, 0.2, 0.1, 0.4), class 1: ln 5, and dZ = yhat - y."""
    tensor = Tensor(np.log([[0.3, 0.2, 0.1, 0.4]]), requires_grad=True)
    loss = F.softmax_cross_entropy(tensor, np.asarray([1]))
    loss.backward()
    assert float(loss) == pytest.approx(1.6094379, abs=5e-8)
    assert tensor.grad[0].tolist() == pytest.approx([0.3, -0.8, 0.1, 0.4], rel=1e-14)


def test_two_classes_are_a_sigmoid(path: str) -> None:
    loss = F.softmax_cross_entropy(np.asarray([[1.2, -0.3]]), np.asarray([0]))
    assert math.exp(-loss) == pytest.approx(0.8175744761936437, rel=1e-15)


def test_zero_logits_of_three_classes(path: str) -> None:
    assert float(F.softmax_cross_entropy(np.zeros((5, 3)), np.zeros(5, int))) == pytest.approx(1.0986123, abs=5e-8)


BATCH_NORM = [
    (2.0, 0.5, 1e-5, [-2.18327084, -0.39442361, 1.39442361, 3.18327084]),
    (math.sqrt(1.25 + 1e-5), 2.5, 1e-5, [1.0, 2.0, 3.0, 4.0]),
    (1.0, 0.0, 0.0, [-1.34164, -0.44721, 0.44721, 1.34164]),
]


@pytest.mark.parametrize(("gamma", "beta", "eps", "expected"), BATCH_NORM, ids=["course", "identity", "normalising"])
def test_batch_norm_of_1_to_4(gamma: float, beta: float, eps: float, expected: list[float], path: str) -> None:
    mean, var = np.zeros(1), np.ones(1)
    arguments = (np.asarray([gamma]), np.asarray([beta]))
    z = F.batch_norm(column([1, 2, 3, 4]), *arguments, mean, var, training=True, eps=eps)
    assert z[:, 0].tolist() == pytest.approx(expected, abs=5e-6 if eps == 0 else 5e-9)
    assert (mean[0], var[0]) == (pytest.approx(0.25, rel=1e-15), pytest.approx(1.0667, abs=5e-5))
    shifted = F.batch_norm(column([8, 9, 10, 11]), *arguments, mean, var, training=True, eps=eps)
    assert np.array_equal(z, shifted)


def test_dropout_threshold() -> None:
    assert keep_threshold(1 - 0.8) == 3435973836
    assert [keep_threshold(p) for p in (0.0, 0.5, 0.75)] == [2**32, 2**31, 2**30]


def test_logistic_step() -> None:
    """X (2 features, 3 examples) in the course's columns: here its transpose."""
    x, y = np.asarray([[1.0, 3.0], [2.0, 0.5], [-1.0, -2.0]]), np.asarray([1.0, 0.0, 1.0])

    def cost(w: Any, b: Any) -> Any:
        a = 1.0 / (1.0 + xp.exp(-(x @ w + b)))
        return -xp.mean(y * xp.log(a) + (1.0 - y) * xp.log(1.0 - a))

    w, b = np.asarray([0.1, 0.1]), 0.2
    assert float(cost(w, np.asarray(b))) == pytest.approx(0.7083779, abs=5e-8)
    dw, db = grad(cost, (0, 1))(w, b)
    assert dw.tolist() == pytest.approx([0.4639713, 0.0974156], abs=5e-8)
    assert float(db) == pytest.approx(-0.0895612, abs=5e-8)


def test_finite_differences_of_a_cube() -> None:
    """theta^3 at 1 with epsilon 0.01: two-sided off by epsilon^2, one-sided by 3 epsilon + epsilon^2."""
    f: Any = lambda t: t**3  # noqa: E731
    assert (f(1.01) - f(0.99)) / 0.02 == pytest.approx(3.0001, rel=1e-12)
    assert (f(1.01) - f(1.0)) / 0.01 == pytest.approx(3.0301, rel=1e-12)
    assert float(grad(f)(1.0)) == 3.0


def test_fast_gradient_example() -> None:
    w, x = np.asarray([1.0, 3.0, -1.0, 2.0, 2.0, 3.0]), np.asarray([1.0, -1.0, 2.0, 0.0, 3.0, -2.0])
    slope = grad(lambda x: xp.sum(x * w))(x)
    assert [float(w @ x), float(w @ (x + 0.2 * slope)), float(w @ (x + 0.2 * np.sign(slope)))] == pytest.approx(
        [-4.0, 1.6, -1.6], rel=1e-14
    )


def test_l2_gradient_of_a_matrix() -> None:
    """W [[1, -2], [3, 0]], lambda 0.7, m 5: penalty 0.98 and gradient 0.14 W; L1 0.42 and 0.07 sign W."""
    w = np.asarray([[1.0, -2.0], [3.0, 0.0]])
    for penalty, value, slope in (
        (lambda w: 0.7 / 10 * xp.sum(w * w), 0.98, 0.14 * w),
        (lambda w: 0.7 / 10 * xp.sum(abs(w)), 0.42, 0.07 * np.sign(w)),
    ):
        assert float(penalty(w)) == pytest.approx(value, rel=1e-14)
        assert np.allclose(grad(penalty)(w), slope, rtol=1e-14)


def test_dropout_is_l2_in_linear_regression(path: str) -> None:
    """w (1, -2, 3), x (0.5, 1, -1), y 0.7, keep_prob 0.8: over all 8 masks (y - w x)^2 + 0.25 sum (w x)^2 = 30.3525."""
    terms, y, keep = np.asarray([1.0, -2.0, 3.0]) * np.asarray([0.5, 1.0, -1.0]), 0.7, 0.8
    masks = np.asarray(list(itertools.product((0.0, 1.0), repeat=3)))
    weights = np.prod(np.where(masks == 1, keep, 1 - keep), axis=1)
    over_all = float(weights @ (y - masks @ terms / keep) ** 2)
    assert over_all == pytest.approx(30.3525, rel=1e-14)
    assert (y - terms.sum()) ** 2 + (1 - keep) / keep * (terms**2).sum() == pytest.approx(30.3525, rel=1e-14)
    dropped = F.dropout(np.tile(terms, (20000, 1)), p=1 - keep, seed=0, stream=0, step=0)
    costs = (y - dropped.sum(axis=1)) ** 2
    assert abs(costs.mean() - 30.3525) < 4 * costs.std() / math.sqrt(len(costs))


def test_the_loss_of_a_negative_example(path: str) -> None:
    """yhat 0.2 for y = 0: -log(1 - yhat)."""
    logit = np.log([0.2 / 0.8])
    assert float(F.binary_cross_entropy(logit, np.zeros(1))) == pytest.approx(0.22314, abs=5e-6)


def test_images_of_32_by_32_pixels() -> None:
    """256^3072 is a number of 7,399 digits."""
    assert math.floor(3072 * math.log10(256)) + 1 == 7399
