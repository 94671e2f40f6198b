"""Worked numbers of the course, by the library's own parts where other tests take formulas written out."""

from __future__ import annotations

import math

import numpy as np
import pytest

import twingrad as tg
from twingrad import functional as F
from twingrad import gan, nn, optim
from twingrad.adversarial import exact_gradient, fast_gradient_sign
from twingrad.analysis import signal_report
from twingrad.data import Dataset, Preprocessing

W, LAMBDA, M = np.asarray([[1.0, -2.0], [3.0, 0.0]]), 0.7, 5
PENALTIES = {
    "L2": ({"weight_decay": LAMBDA / M}, W - 0.1 * 0.14 * W),
    "L1": ({"l1": LAMBDA / (2 * M)}, W - 0.1 * 0.07 * np.sign(W)),
}


@pytest.mark.parametrize("name", PENALTIES)
def test_a_penalty_alone_by_gradient_descent(name):
    """lambda 0.7, m 5: gradients 0.14 W and 0.07 sign W, which the learning rate multiplies; the bias has none."""
    options, expected = PENALTIES[name]
    model = nn.Linear(2, 2, dtype=np.float64)
    model.weight, model.bias = W, [5.0, 5.0]
    optimizer = optim.SGD(model, lr=0.1, **options)
    model.weight.grad, model.bias.grad = np.zeros((2, 2)), np.zeros(2)
    optimizer.step()
    np.testing.assert_allclose(model.weight.numpy(), expected, rtol=1e-15)
    assert model.bias.numpy().tolist() == [5.0, 5.0]


@pytest.mark.oracle
def test_weight_decay_is_pytorchs_to_the_bit():
    """W 2, lambda 0.5, m 10, alpha 0.1, dW 0.3: 1.96 in both."""
    torch = pytest.importorskip("torch", reason="PyTorch (extra `oracle`) is not installed")
    theirs = torch.nn.Parameter(torch.tensor([2.0], dtype=torch.float64))
    theirs.grad = torch.tensor([0.3], dtype=torch.float64)
    torch.optim.SGD([theirs], lr=0.1, weight_decay=0.5 / 10).step()
    w = np.asarray([2.0])
    F.sgd_update(w, np.asarray([0.3]), lr=0.1, weight_decay=0.5 / 10)
    assert w[0] == theirs.item() == pytest.approx(1.96, rel=1e-15)


def test_normalising_one_to_four():
    """mu 2.5, sigma^2 1.25 (over m), and what is tested is scaled by the same two numbers."""
    fitted = Preprocessing.fit(Dataset(np.asarray([[1.0], [2.0], [3.0], [4.0]]), np.arange(4) % 2))
    assert (fitted.shift, fitted.scale) == ((2.5,), pytest.approx((math.sqrt(1.25),), rel=1e-15))
    found = fitted.apply(np.asarray([[1.0], [2.0], [3.0], [4.0], [2.5]]))[:, 0]
    assert found.tolist() == pytest.approx([-1.34164, -0.44721, 0.44721, 1.34164, 0.0], abs=5e-6)


def test_the_whole_jacobian_of_softmax():
    """diag(a) - a a^T; t = e^z sums to 176.2556."""
    z = np.asarray([5.0, 2.0, -1.0, 3.0])
    t = np.exp(z)
    assert [*t, t.sum()] == pytest.approx([148.4132, 7.3891, 0.3679, 20.0855, 176.2556], abs=5e-5)
    a = np.asarray([0.84203357, 0.04192238, 0.00208719, 0.11395685])
    found = tg.jacobian(F.softmax)(z)
    np.testing.assert_allclose(found, np.diag(a) - np.outer(a, a), atol=1e-8)
    assert found[0].tolist() == pytest.approx([0.13301304, -0.03530005, -0.00175749, -0.09595550], abs=5e-9)


def test_a_step_of_logistic_regression():
    """X [[1, 2, -1], [3, 0.5, -2]] with examples in columns, Y (1, 0, 1), w 0.1, 0.1, b 0.2."""
    x, y = np.asarray([[1.0, 2.0, -1.0], [3.0, 0.5, -2.0]]).T, np.asarray([1.0, 0.0, 1.0])
    model = nn.Linear(2, 1, dtype=np.float64)
    model.weight, model.bias = [[0.1, 0.1]], [0.2]
    z = model(x)
    assert F.sigmoid(z).numpy()[:, 0].tolist() == pytest.approx([0.645656, 0.610639, 0.475021], abs=5e-7)
    loss = F.binary_cross_entropy(z, y[:, None])
    loss.backward()
    assert float(loss) == pytest.approx(0.7083779, abs=5e-8)
    assert model.weight.grad[0].tolist() == pytest.approx([0.4639713, 0.0974156], abs=5e-8)
    assert float(model.bias.grad[0]) == pytest.approx(-0.0895612, abs=5e-8)


@pytest.mark.parametrize(("factor", "expected"), [(1.5, 5.83e26), (0.5, 1.75e-46)])
def test_152_layers_in_float64(factor, expected):
    """0.5^152 is 1.75e-46: no float32, whose least number is 1.4e-45, holds it."""
    draw = lambda shape, **key: factor * np.eye(*shape)  # noqa: E731
    model = nn.Sequential(*(nn.Linear(2, 2, bias=False, init=draw, dtype=np.float64) for _ in range(152)))
    assert signal_report(model, np.ones((3, 2))).layers[-1].rms == pytest.approx(expected, rel=2e-3)
    assert np.float32(0.5**152) == 0


def test_norms_of_the_fast_gradient_example():
    """|w|^2 is 28 and the sum of |w_i| 12: along w the score rises by 28 eps, along its signs by 12 eps."""
    w, x = np.asarray([1.0, 3, -1, 2, 2, 3]), np.asarray([[1.0, -1, 2, 0, 3, -2]])
    score = lambda x: x @ w  # noqa: E731
    slope = exact_gradient(score, x, None, lambda outputs, y, **options: outputs)
    assert (score(x)[0], score(slope)[0], np.abs(slope).sum()) == (-4, 28, 12)
    moved = fast_gradient_sign(score, x, None, eps=1.0, loss=lambda outputs, y, **options: outputs)
    assert score(moved)[0] - score(x)[0] == 12


def test_a_discriminator_that_knows_both_distributions():
    """p (.5, .5, 0) against q (0, .5, .5): D* = p / (p + q) is (1, .5, 0), and C = 2 JSD - log 4."""
    p, q = np.asarray([0.5, 0.5, 0.0]), np.asarray([0.0, 0.5, 0.5])
    assert (p / (p + q)).tolist() == [1.0, 0.5, 0.0]
    assert 2 * gan.jsd(p, q) - math.log(4) == pytest.approx(-0.6931472, abs=5e-8)


OF_THE_GENERATOR = {("non-saturating", 0.01): 4.6051702, ("non-saturating", 0.5): 0.6931472}
OF_THE_GENERATOR |= {("minimax", 0.01): -0.0100503, ("minimax", 0.5): -0.6931472}


@pytest.mark.parametrize(("form", "d"), OF_THE_GENERATOR)
def test_what_a_generator_pays(form, d):
    """-log D and log(1 - D), where the discriminator says D of an image that is not real."""
    logit = np.asarray([[math.log(d / (1 - d))]])
    assert gan.generator_loss(logit, form) == pytest.approx(OF_THE_GENERATOR[form, d], abs=5e-8)


LOSSES = {
    "discriminator": gan.discriminator_loss,
    "non-saturating": lambda real, fake: gan.generator_loss(real * fake),
    "minimax": lambda real, fake: gan.generator_loss(real * fake, "minimax"),
    "cycle": lambda real, fake: gan.cycle_loss(real, fake, fake, 2.0 * real),
}


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_of_the_losses_of_generative_networks(name):
    real, fake = (tg.random.normal((4, 2), seed=seed, stream=0) for seed in (1, 2))
    report = tg.check_grads(LOSSES[name], real, fake)
    assert report.ok, report


L1 = {
    "descent": (lambda m: optim.SGD(m, lr=0.1, l1=0.2), 1 - 0.05 - 0.02),
    "momentum": (lambda m: optim.SGD(m, lr=0.1, momentum=0.9, l1=0.2), 1 - 0.05 - 0.2),
    "RMSprop": (lambda m: optim.RMSprop(m, lr=0.1, alpha=0.9, eps=0.0, l1=0.2), 1 - (0.05 + 0.02) / math.sqrt(0.025)),
    "Adam": (lambda m: optim.Adam(m, lr=0.1, eps=0.0, l1=0.2), 1 - (0.05 + 0.02) / 0.5),
}


@pytest.mark.parametrize("name", L1)
def test_one_proximal_step(name):
    """w 1, dW 0.5, alpha 0.1, lambda/(2m) 0.2: towards 0 by 0.02 in the scale of the step, and 0 where it gets there.

    The scale is that by which the rule turns a lasting gradient into steps: 1, 1/(1 - beta), 1 over the root.
    """
    make, expected = L1[name]
    model = nn.Linear(1, 1, bias=False, dtype=np.float64)
    for start, gradient, found in ((1.0, 0.5, expected), (0.001, 1e-6, 0.0)):
        model.weight = [[start]]
        optimizer = make(model)
        model.weight.grad = np.asarray([[gradient]])
        optimizer.step()
        assert float(model.weight.numpy()[0, 0]) == pytest.approx(found, rel=1e-14)


def test_differences_in_float32_and_beside_a_kink():
    """At 1 with 1e-7, theta^3 in float32 is 0.088 off from its right derivative; ReLU at 5e-8 in float64 0.143."""

    def off(f, theta, slope, kind):
        plus, minus = (f(kind(theta + kind(sign) * kind(1e-7))) for sign in (1, -1))
        found = float(plus - minus) / 2e-7
        return abs(found - slope) / (abs(found) + abs(slope))

    assert off(lambda t: t**3, np.float32(1), 3.0, np.float32) == pytest.approx(0.088, abs=5e-4)
    assert off(lambda t: t**3, np.float64(1), 3.0, np.float64) < 1e-8
    assert off(lambda t: max(t, 0.0), np.float64(5e-8), 1.0, np.float64) == pytest.approx(0.143, abs=5e-4)
    assert tg.check_grads(F.relu, 5e-8, epsilon=1e-7).ok
    assert tg.check_grads(lambda t: t**3, np.float32(1), epsilon=1e-7).ok
