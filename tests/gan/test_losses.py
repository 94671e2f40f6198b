"""Losses and divergences: the course's numbers, PyTorch's and SciPy's, on every library."""

from __future__ import annotations

import re

import numpy as np
import pytest

import twingrad as tg
from twingrad import gan
from twingrad.random import normal, uniform


def logit(p):
    return np.log(p / (1 - p))


def test_a_discriminator_that_cannot_tell():
    """D = 1/2 everywhere: V = -log 4."""
    loss = gan.discriminator_loss(np.zeros((4, 1)), np.zeros((7, 1)))
    assert loss == pytest.approx(1.3862944, abs=1e-7)
    assert -loss == pytest.approx(-np.log(4))


@pytest.mark.parametrize(("d", "minimax", "other"), [(0.01, -0.01, -0.99), (0.5, -0.5, -0.5), (0.99, -0.99, -0.01)])
def test_the_minimax_loss_saturates_where_the_generator_is_seen_through(d, minimax, other):
    a = logit(np.asarray([d]))
    assert tg.grad(lambda a: gan.generator_loss(a, "minimax"))(a)[0] == pytest.approx(minimax)
    assert tg.grad(lambda a: gan.generator_loss(a))(a)[0] == pytest.approx(other)


def test_the_minimax_generator_plays_against_the_discriminator():
    """J(G) and -J(D) differ by the term of the real data, which does not depend on G."""
    real, fake = normal((5, 1), seed=1, stream=0), normal((6, 1), seed=2, stream=0)
    of_real = np.mean(np.log1p(np.exp(-real)))
    total = gan.generator_loss(fake, "minimax") + gan.discriminator_loss(real, fake)
    assert total == pytest.approx(of_real)


def test_losses_are_finite_for_large_logits():
    for fake in (np.full((2, 1), 1e4), np.full((2, 1), -1e4)):
        for loss in (
            gan.discriminator_loss(-fake, fake),
            *(gan.generator_loss(fake, form) for form in gan.losses.FORMS),
        ):
            assert np.isfinite(loss)


def test_a_cycle_has_a_gradient_in_all_it_is_of():
    x, again, y, other = (normal((4, 3), seed=seed, stream=0) for seed in range(4))
    report = tg.check_grads(gan.cycle_loss, x, again, y, other)
    assert report.ok, report


@pytest.mark.oracle
def test_losses_and_gradients_are_pytorchs():
    torch = pytest.importorskip("torch", reason="PyTorch (extra `oracle`) is not installed")
    real, fake = normal((9, 1), seed=1, stream=0), normal((9, 1), seed=2, stream=0)
    one, zero = torch.ones(9, 1, dtype=torch.float64), torch.zeros(9, 1, dtype=torch.float64)
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    r, f = (torch.tensor(each, requires_grad=True) for each in (real, fake))
    theirs = bce(r, one) + bce(f, zero)
    theirs.backward()
    ours, gradients = tg.value_and_grad(gan.discriminator_loss, (0, 1))(real, fake)
    assert ours == pytest.approx(theirs.item())
    for gradient, their in zip(gradients, (r, f), strict=True):
        np.testing.assert_allclose(gradient, their.grad.numpy(), rtol=1e-10)


def test_the_courses_cycle():
    x, y = np.asarray([[0.0], [1.0]]), np.asarray([[0.0], [2.0]])
    there, back = (lambda x: 2 * x), (lambda y: y / 2 + 0.25)
    assert gan.cycle_loss(x, back(there(x)), y, there(back(y))) == pytest.approx(0.75)
    assert np.mean(np.abs(back(there(x)) - x)) == pytest.approx(0.25)


def test_the_courses_divergence():
    p, q = np.asarray([0.5, 0.5, 0.0]), np.asarray([0.0, 0.5, 0.5])
    np.testing.assert_allclose(p / (p + q), [1, 0.5, 0])
    assert gan.jsd(p, q) == pytest.approx(0.3465736, abs=1e-7)
    assert 2 * gan.jsd(p, q) - np.log(4) == pytest.approx(-0.6931472, abs=1e-7)
    best = p / (p + q)
    value = 0.5 * np.log(best[0]) + 0.5 * np.log(best[1]) + 0.5 * np.log(1 - best[1]) + 0.5 * np.log(1 - best[2])
    assert value == pytest.approx(-0.6931472, abs=1e-7)


@pytest.mark.oracle
def test_divergences_are_scipys():
    special = pytest.importorskip("scipy.special", reason="SciPy (extra `oracle`) is not installed")
    distance = pytest.importorskip("scipy.spatial.distance", reason="SciPy (extra `oracle`) is not installed")
    p, q = (uniform((20, 6), seed=seed, stream=0) for seed in (1, 2))
    p[:, 0], q[3:9, 1] = 0.0, 0.0
    p, q = p / p.sum(axis=1, keepdims=True), q / q.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(gan.kl(p, q), special.rel_entr(p, q).sum(axis=1), rtol=1e-12)
    assert np.isinf(gan.kl(p, q)).sum() == 6
    np.testing.assert_allclose(gan.jsd(p, q), distance.jensenshannon(p, q, axis=1) ** 2, rtol=1e-10)


def test_divergences_at_their_ends():
    p, q = np.asarray([1.0, 0.0]), np.asarray([0.0, 1.0])
    assert gan.jsd(p, q) == pytest.approx(np.log(2))
    assert gan.jsd(p, p) == gan.kl(p, p) == 0.0
    assert gan.kl(p, q) == np.inf


def test_divergences_have_gradients():
    p, q = np.asarray([0.2, 0.3, 0.5]), np.asarray([0.4, 0.4, 0.2])
    for f in (gan.kl, gan.jsd):
        report = tg.check_grads(lambda a, b, f=f: f(tg.xp.exp(a) / tg.xp.sum(tg.xp.exp(a)), b / tg.xp.sum(b)), p, q)
        assert report.ok, report


def test_every_library(library):
    rtol = library.tolerance()
    real, fake = normal((5, 1), seed=1, stream=0), normal((5, 1), seed=2, stream=0)
    p, q = np.asarray([[0.5, 0.5, 0.0]]), np.asarray([[0.25, 0.5, 0.25]])
    for f, args in (
        (gan.discriminator_loss, (real, fake)),
        (gan.generator_loss, (fake,)),
        (lambda a: gan.generator_loss(a, "minimax"), (fake,)),
        (gan.cycle_loss, (real, fake, fake, real)),
        (gan.kl, (p, q)),
        (gan.jsd, (p, q)),
    ):
        found = library.numpy(f(*map(library.asarray, args)))
        np.testing.assert_allclose(found, f(*args), rtol=10 * rtol, atol=rtol)


HALF = np.asarray([0.5, 0.5])
BAD = {
    "generator_loss: form is one of minimax, non-saturating; got 'wasserstein'": lambda: gan.generator_loss(
        HALF, "wasserstein"
    ),
    "kl: p and q must be (..., K) of one shape; got (2,) and (3,)": lambda: gan.kl(HALF, np.full(3, 1 / 3)),
    "kl: q must hold probabilities, at least 0 and summing to 1; got [0.5 0.6]": lambda: gan.kl(
        HALF, np.asarray([0.5, 0.6])
    ),
    "jsd: p must hold probabilities, at least 0 and summing to 1; got [-0.5": lambda: gan.jsd(
        np.asarray([-0.5, 1.5]), HALF
    ),
    "kl: p must hold probabilities, at least 0 and summing to 1; got [nan": lambda: gan.kl(
        np.asarray([np.nan, 0.5]), HALF
    ),
    "cycle_loss: x and x_again must be of one shape; got (3, 2) and (3, 1)": lambda: gan.cycle_loss(
        np.ones((3, 2)), np.ones((3, 1)), np.ones((3, 2)), np.ones((3, 2))
    ),
}


@pytest.mark.parametrize("told", BAD)
def test_bad_input(told):
    with pytest.raises(ValueError, match=re.escape(told)):
        BAD[told]()
