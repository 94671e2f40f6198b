"""Attacks: the course's numbers, PyTorch's gradients, every library, and models that give no gradient."""

from __future__ import annotations

import functools
import math
import re

import numpy as np
import pytest

import twingrad as tg
from twingrad import functional as F
from twingrad import nn
from twingrad.adversarial import exact_gradient, fast_gradient_sign, numerical_gradient, targeted
from twingrad.errors import AutodiffError
from twingrad.random import normal
from twingrad.train import dense

W = np.asarray([1.0, 3, -1, 2, 2, 3])
X = np.asarray([[1.0, -1, 2, 0, 3, -2]])


def score(x):
    return x @ W


def itself(outputs, y, *, reduction):
    """A score as its own loss."""
    return outputs


def test_the_courses_example():
    assert score(X)[0] == -4
    gradient = exact_gradient(score, X, None, itself)
    along = X + 0.2 * gradient
    np.testing.assert_allclose(along, [[1.2, -0.4, 1.8, 0.4, 3.4, -1.4]])
    assert score(along)[0] == pytest.approx(1.6)
    signs = fast_gradient_sign(score, X, None, eps=0.2, loss=itself)
    np.testing.assert_allclose(signs, [[1.2, -0.8, 1.8, 0.2, 3.2, -1.8]])
    assert score(signs)[0] == pytest.approx(-1.6)


@pytest.mark.parametrize("more", [1e-6, -1e-6])
def test_the_score_crosses_zero_at_a_third_by_signs_and_a_seventh_along_the_weights(more):
    by_signs = fast_gradient_sign(score, X, None, eps=1 / 3 + more, loss=itself)
    along = X + (1 / 7 + more) * exact_gradient(score, X, None, itself)
    assert (score(by_signs)[0] > 0) == (score(along)[0] > 0) == (more > 0)


@pytest.mark.parametrize("gradient", [exact_gradient, numerical_gradient])
def test_the_courses_targeted_attack_reaches_its_closed_form(gradient):
    found = targeted(score, X, np.asarray([4.0]), weight=1.0, lr=0.03, steps=300, gradient=gradient)
    np.testing.assert_allclose(found, X + W * 8 / 30, atol=1e-8)
    assert score(found)[0] == pytest.approx(3.466667, abs=1e-6)
    assert 0.5 * (score(found)[0] - 4) ** 2 + np.sum((found - X) ** 2) == pytest.approx(2.133333, abs=1e-6)


@pytest.mark.parametrize("weight", [0.0, 0.3, 5.0])
def test_the_closed_form_for_any_weight(weight):
    found = targeted(score, X, np.asarray([4.0]), weight=weight, lr=0.02, steps=2000)
    np.testing.assert_allclose(found, X + W * 8 / (28 + 2 * weight), atol=1e-8)


def test_there_are_more_small_colour_pictures_than_anyone_can_train_on():
    """The course's 256^(32 * 32 * 3), a number of 7,399 digits."""
    assert math.floor(32 * 32 * 3 * math.log10(256)) + 1 == 7399


def digits(n=40):
    data = tg.data.load("digits")
    return data.x[:n], data.y[:n]


@pytest.fixture(scope="module")
def model():
    """A network with everything in it, 5 epochs old."""
    model = dense(64, 10, hidden=[32], dropout=0.2, batch_norm=True, seed=0)
    tg.fit(model, tg.data.load("digits"), epochs=5, device="cpu")
    return model


def test_an_attack_lowers_the_accuracy_and_stays_in_its_box(model):
    x, y = digits()
    moved = fast_gradient_sign(model, x, y, eps=0.15, limits=(0.0, 1.0))
    assert moved.dtype == x.dtype
    assert np.abs(moved - x).max() <= 0.15 + 1e-6
    assert (moved.min(), moved.max()) == (0.0, 1.0)
    assert (tg.train.predict(model, moved) == y).mean() < (tg.train.predict(model, x) == y).mean() - 0.2


def test_a_targeted_attack_makes_the_network_see_another_class(model):
    x, y = digits()
    target = (y + 1) % 10
    moved = targeted(model, x, target, weight=0.01, lr=0.2, steps=60, loss=F.softmax_cross_entropy, limits=(0.0, 1.0))
    assert (tg.train.predict(model, moved) == target).mean() > 0.9


def test_the_model_is_left_as_it_came(model):
    x, y = digits()
    model.train()
    before = {name: np.array(value) for name, value in model.state_dict().items()}
    fast_gradient_sign(model, x, y, eps=0.1)
    numerical_gradient(model, x[:2], y[:2], F.softmax_cross_entropy)
    assert all(module.training for _, module in model.modules())
    assert all(np.array_equal(value, before[name]) for name, value in model.state_dict().items())


def test_an_example_is_attacked_alike_alone_and_in_a_batch(model):
    x, y = digits()
    together = exact_gradient(model, x, y, F.softmax_cross_entropy)
    alone = [exact_gradient(model, x[i : i + 1], y[i : i + 1], F.softmax_cross_entropy)[0] for i in range(5)]
    np.testing.assert_allclose(together[:5], alone, rtol=1e-4, atol=1e-6)


@pytest.mark.oracle
def test_gradients_are_pytorchs():
    torch = pytest.importorskip("torch", reason="PyTorch (extra `oracle`) is not installed")
    model = nn.Sequential(nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 10), seed=3)
    x, y = digits()
    w1, b1, w2, b2 = (torch.tensor(np.array(p.numpy())) for p in model.parameters())
    theirs = torch.tensor(x, requires_grad=True)
    torch.nn.functional.cross_entropy(
        torch.tanh(theirs @ w1.T + b1) @ w2.T + b2, torch.tensor(y), reduction="sum"
    ).backward()
    ours = exact_gradient(model, x, y, F.softmax_cross_entropy)
    np.testing.assert_allclose(ours, theirs.grad.numpy(), rtol=1e-4, atol=1e-6)
    step = fast_gradient_sign(model, x, y, eps=0.1)
    np.testing.assert_array_equal(step, (theirs + 0.1 * theirs.grad.sign()).detach().numpy())


def test_differences_are_the_gradient():
    model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3), seed=1)
    for parameter in model.parameters():
        assert parameter.dtype == np.float32
    x, y = normal((4, 6), seed=2, stream=0).astype(np.float32), np.asarray([0, 1, 2, 1])
    exact = exact_gradient(model, x, y, F.softmax_cross_entropy)
    np.testing.assert_allclose(numerical_gradient(model, x, y, F.softmax_cross_entropy, step=0.03), exact, atol=2e-3)
    soft = np.full((4, 3), 1 / 3, np.float32)
    exact = exact_gradient(model, x, soft, F.softmax_cross_entropy)
    np.testing.assert_allclose(numerical_gradient(model, x, soft, F.softmax_cross_entropy, step=0.03), exact, atol=2e-3)


def test_images_keep_their_shape():
    found = numerical_gradient(
        lambda x: tg.xp.sum(tg.xp.asarray(x) ** 3, axis=(1, 2)), np.ones((2, 3, 4)), None, itself
    )
    np.testing.assert_allclose(found, np.full((2, 3, 4), 3.0), atol=1e-5)


def test_every_library(library):
    w = library.asarray(W)
    x = library.asarray(X)
    moved = fast_gradient_sign(lambda x: x @ w, x, None, eps=0.2, loss=itself, limits=(-1.9, 2.5))
    wanted = np.clip(X + 0.2 * np.sign(W), -1.9, 2.5)
    np.testing.assert_allclose(library.numpy(moved), wanted, rtol=1e-6)
    black = fast_gradient_sign(lambda x: x @ w, x, None, eps=0.2, loss=itself, gradient=numerical_gradient)
    np.testing.assert_allclose(library.numpy(black), X + 0.2 * np.sign(W), rtol=1e-6)


class Forest:
    """A model that answers and gives no gradient."""

    def __call__(self, x):
        return np.asarray(x) @ W.reshape(6, 1) @ np.ones((1, 3))


def hard(x):
    """Its answers do not depend on x through the tape."""
    return np.zeros((1, 3))


@pytest.mark.parametrize(("model", "name"), [(Forest(), "Forest"), (hard, "hard")])
@pytest.mark.parametrize(
    "attack",
    [
        lambda model: fast_gradient_sign(model, X, np.asarray([0]), eps=0.1),
        lambda model: targeted(model, X, np.ones((1, 3))),
    ],
)
def test_a_model_without_gradients_is_named(model, name, attack):
    told = f"the model {name} gives no gradient with respect to its input .*gradient=numerical_gradient attacks it"
    with pytest.raises(AutodiffError, match=told):
        attack(model)


def test_a_black_box_is_attacked_by_asking():
    def loss(outputs, y, *, reduction):
        return outputs[:, 0]

    moved = fast_gradient_sign(Forest(), X, None, eps=0.2, loss=loss, gradient=numerical_gradient)
    np.testing.assert_allclose(moved, X + 0.2 * np.sign(W))


BAD = {
    "fast_gradient_sign: eps must be a finite number of at least 0, got -1": lambda: fast_gradient_sign(
        score, X, None, eps=-1
    ),
    "fast_gradient_sign: limits must be two finite numbers (low, high), low <= high; got (1, 0)": (
        lambda: fast_gradient_sign(score, X, None, eps=1, limits=(1, 0))
    ),
    "targeted: weight must be a finite number of at least 0, got -1": lambda: targeted(score, X, X, weight=-1),
    "targeted: lr must be a finite number of at least 0, got nan": lambda: targeted(score, X, X, lr=float("nan")),
    "targeted: steps must be an int; got 1.5": lambda: targeted(score, X, X, steps=1.5),
    "targeted: steps must be at least 0; got -1": lambda: targeted(score, X, X, steps=-1),
    "targeted: the target must be of the outputs' shape, (1,); got (1, 1)": lambda: targeted(score, X, np.ones((1, 1))),
    "fast_gradient_sign: limits must be None or two numbers (low, high); got 1": lambda: fast_gradient_sign(
        score, X, None, eps=1, limits=1
    ),
    "an attack: x must hold floating point numbers; got uint8: divide bytes by 255 first": lambda: fast_gradient_sign(
        score, X.astype(np.uint8), None, eps=1
    ),
    "an attack: y must hold something for each of the 1 examples; got (2,)": lambda: fast_gradient_sign(
        score, X, np.zeros(2, int), eps=1, gradient=numerical_gradient
    ),
    "numerical_gradient: step must be a finite number above 0; got 0": lambda: numerical_gradient(
        score, X, None, itself, step=0
    ),
}


@pytest.mark.parametrize("told", BAD)
def test_bad_input(told):
    with pytest.raises((ValueError, TypeError), match=re.escape(told)):
        BAD[told]()


@pytest.mark.parametrize("gradient", [exact_gradient, numerical_gradient])
def test_no_examples(gradient):
    nothing = fast_gradient_sign(score, X[:0], None, eps=0.1, loss=itself, gradient=gradient)
    assert nothing.shape == (0, 6)


FLAT = {"rounding": tg.xp.round, "hardmax": F.hardmax, "a constant": lambda z: z * 0.0}


@pytest.mark.parametrize("name", FLAT)
def test_a_model_whose_gradient_is_0_everywhere_is_named(name):
    """It is behind a step function, or does not depend on its input: no input would move, without a word."""

    def flat(x):
        return FLAT[name](x @ np.asarray([[2.0, -1.0], [0.5, 1.0], [1.0, 1.5]]))

    x, y = np.asarray([[0.3, 0.7, -0.2], [1.1, -0.4, 0.6]]), np.asarray([0, 1])
    told = r"flat gives no gradient .*it is 0 in every input.*by a step wide enough"
    with pytest.raises(tg.AutodiffError, match=told):
        fast_gradient_sign(flat, x, y, eps=0.1)
    with pytest.raises(tg.AutodiffError, match=told):
        targeted(flat, x, np.asarray([[3.0, 3.0], [3.0, 3.0]]))
    if name != "a constant":
        wide = functools.partial(numerical_gradient, step=1.0)
        assert (fast_gradient_sign(flat, x, y, eps=0.1, gradient=wide) != x).any()


def test_an_image_that_is_where_it_should_be_stays():
    """The gradient is 0 because the target is met."""
    x = np.asarray([[1.0, 2.0]])
    np.testing.assert_array_equal(targeted(lambda x: 2.0 * x, x, 2.0 * x), x)
