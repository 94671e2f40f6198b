"""The game: whose weights an update changes, k, and captured steps."""

from __future__ import annotations

import numpy as np
import pytest

import twingrad as tg
from twingrad import gan, nn, optim
from twingrad.random import normal

from kernels_here import no_kernels

pytestmark = pytest.mark.filterwarnings("ignore::twingrad.CaptureWarning")  # without kernels plain steps run


def networks():
    generator = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2), seed=1)
    discriminator = nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1), seed=2)
    return generator, discriminator


def game(k=1, **options):
    generator, discriminator = networks()
    optimizers = optim.Adam(generator, lr=1e-3), optim.Adam(discriminator, lr=1e-3)
    return gan.Game(generator, discriminator, *optimizers, k=k, **options)


def batch(step, width):
    return normal((16, width), seed=3, stream=width, step=step).astype(np.float32)


def play(found, rounds):
    losses = []
    for step in range(rounds):
        pairs = [(batch(10 * step + i, 2), batch(10 * step + i, 3)) for i in range(found.k)]
        losses.append([float(each) for each in found.play(pairs, batch(10 * step + 9, 3))])
    return losses


def weights(model):
    return [np.array(p.numpy()) for p in model.parameters()]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("form", ["minimax", "non-saturating"])
def test_each_update_changes_its_own_network_by_its_own_loss(form):
    found = game(form=form)
    g, d = weights(found.generator), weights(found.discriminator)
    real, z = batch(0, 2), batch(0, 3)
    with tg.no_grad():
        wanted = gan.discriminator_loss(found.discriminator(real), found.discriminator(found.generator(z)))
    assert float(found._discriminate(real, z)) == pytest.approx(float(wanted), rel=1e-6)
    assert same(weights(found.generator), g)
    assert not same(weights(found.discriminator), d)
    d = weights(found.discriminator)
    with tg.no_grad():
        wanted = gan.generator_loss(found.discriminator(found.generator(z)), form)
    assert float(found._generate(z)) == pytest.approx(float(wanted), rel=1e-6)
    assert not same(weights(found.generator), g)
    assert same(weights(found.discriminator), d)


@pytest.mark.parametrize("k", [1, 3])
def test_captured_rounds_are_those_of_plain_steps(k):
    fast, plain = game(k), game(k)
    plain._discriminate, plain._generate = plain._discriminator_step, plain._generator_step
    assert play(fast, 4) == play(plain, 4)
    assert same(weights(fast.generator), weights(plain.generator))
    assert same(weights(fast.discriminator), weights(plain.discriminator))
    assert fast._generate.refused is None is fast._discriminate.refused or no_kernels()


@pytest.mark.oracle
def test_a_round_is_pytorchs():
    torch = pytest.importorskip("torch", reason="PyTorch (extra `oracle`) is not installed")
    found = game(2)
    g = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    d = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.LeakyReLU(0.2), torch.nn.Linear(8, 1))
    for ours, theirs in ((found.generator, g), (found.discriminator, d)):
        for value, parameter in zip(weights(ours), theirs.parameters(), strict=True):
            parameter.data = torch.tensor(value)
    og, od = torch.optim.Adam(g.parameters(), lr=1e-3), torch.optim.Adam(d.parameters(), lr=1e-3)
    bce, one, zero = torch.nn.functional.binary_cross_entropy_with_logits, torch.ones(16, 1), torch.zeros(16, 1)
    play(found, 3)
    for step in range(3):
        for i in range(2):
            od.zero_grad()
            real, z = (torch.tensor(batch(10 * step + i, width)) for width in (2, 3))
            (bce(d(real), one) + bce(d(g(z).detach()), zero)).backward()
            od.step()
        og.zero_grad()
        bce(d(g(torch.tensor(batch(10 * step + 9, 3)))), one).backward()
        og.step()
    for ours, theirs in ((found.generator, g), (found.discriminator, d)):
        for value, parameter in zip(weights(ours), theirs.parameters(), strict=True):
            np.testing.assert_allclose(value, parameter.detach().numpy(), atol=2e-6)


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"k": 0}, ValueError, "Game: k must be at least 1, or the discriminator would never learn; got 0"),
        ({"k": 1.5}, TypeError, "Game: k must be an int; got 1.5"),
        ({"form": "hinge"}, ValueError, "Game: form is one of minimax, non-saturating; got 'hinge'"),
    ],
)
def test_bad_input(options, error, told):
    with pytest.raises(error, match=told):
        game(**options)


def test_a_pair_for_each_discriminator_step_is_needed():
    with pytest.raises(ValueError, match=r"Game: 2 pairs \(real, noise\) are needed, one for each step; got 1"):
        game(2).play([(batch(0, 2), batch(0, 3))], batch(0, 3))


def test_optimizers_that_are_swapped_are_refused_and_new_ones_bound():
    generator, discriminator = nn.Sequential(nn.Linear(3, 2)), nn.Sequential(nn.Linear(2, 1))
    optimizers = optim.SGD(generator, lr=0.1), optim.SGD(discriminator, lr=0.1)
    with pytest.raises(ValueError, match="this SGD has a model already; make another optimizer for another model"):
        gan.Game(generator, discriminator, *optimizers[::-1])
    played = gan.Game(generator, discriminator, optim.SGD(lr=0.1), optim.SGD(lr=0.1))
    assert played.play([(batch(0, 2), batch(0, 3))], batch(0, 3))[1].shape == ()
