"""Sums, products and changes of shape in a captured step: what residual networks and sums of losses need."""

import numpy as np
import pytest

import twingrad as tg
from twingrad import functional as F
from twingrad import nn, xp
from twingrad.kernels import cpu

import networks
from mixes import MIXES, Mixed

pytestmark = pytest.mark.skipif(not cpu.available(), reason=f"capture needs compiled kernels: {cpu.unavailable()}")

WIDE = 300
"""Columns of the hidden layers: with 64 rows, arrays of several tiles."""


def steps(mix, dtype, wrap):
    """The losses, values and moments that some steps leave."""
    model = Mixed(MIXES[mix], dtype, WIDE)
    optimizer = networks.OPTIMIZERS["adam"](model)
    step = wrap(networks.stepper(model, optimizer))
    losses = {f"loss {i}": step(*networks.batch(64, dtype, seed=i)).numpy().copy() for i in range(4)}
    return losses | networks.everything(model, optimizer)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mix", MIXES)
def test_captured_steps_equal_plain_ones(mix, dtype):
    networks.assert_same_bits(steps(mix, dtype, tg.capture), steps(mix, dtype, lambda step: step))


@pytest.mark.parametrize("weight", [0.25, 2, np.float32(0.25)])
def test_a_sum_of_losses(weight):
    def run(wrap):
        model = networks.network()
        optimizer = networks.OPTIMIZERS["sgd"](model)

        def step(x, y, values):
            logits = model(x)
            loss = F.softmax_cross_entropy(logits, y) + weight * F.mean_squared_error(logits, values)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        step = wrap(step)
        for i in range(3):
            x, y = networks.batch(seed=i)
            step(x, y, np.ones((len(x), networks.OUT), np.float32))
        return networks.everything(model, optimizer)

    networks.assert_same_bits(run(tg.capture), run(lambda step: step))


def test_a_parameter_as_an_operand():
    """Its gradient goes straight into the flat one, added to what a second use left there."""

    def run(wrap):
        model = nn.Module()
        model.scale = nn.Parameter(np.linspace(0.5, 2, 15, dtype=np.float32).reshape(3, 5))
        model.shift = nn.Parameter(np.linspace(-1, 1, 15, dtype=np.float32).reshape(3, 5))
        optimizer = networks.OPTIMIZERS["momentum"](model)

        def step(x, target):
            loss = F.mean_squared_error(x * model.scale + model.shift * model.scale, target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        step = wrap(step)
        for i in range(4):
            x = np.random.default_rng(i).standard_normal((3, 5), np.float32)
            step(x, np.ones_like(x))
        return networks.everything(model, optimizer)

    networks.assert_same_bits(run(tg.capture), run(lambda step: step))


def test_a_parameter_in_another_shape():
    def run(wrap):
        model = nn.Module()
        model.weight = nn.Parameter(np.linspace(-1, 1, 10, dtype=np.float32))
        optimizer = networks.OPTIMIZERS["momentum"](model)

        def step(x, target):
            twice = model.weight.reshape(2, 5) + model.weight.reshape(2, 5)
            loss = F.mean_squared_error(F.linear(x, twice) + F.linear(x, model.weight.reshape(2, 5)), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        step = wrap(step)
        for i in range(4):
            step(networks.batch(seed=i)[0], np.ones((16, 2), np.float32))
        return networks.everything(model, optimizer)

    networks.assert_same_bits(run(tg.capture), run(lambda step: step))


REFUSED = {
    "a broadcast": (lambda x: x + np.ones(networks.IN, np.float32), "takes equal shapes"),
    "two dtypes": (lambda x: x * np.ones(x.shape), "arrays of one dtype, float32 or float64; got float"),
    "integers": (lambda x: x * np.ones(x.shape, np.int64), "arrays of one dtype, float32 or float64; got "),
    "columns": (lambda x: x + np.ones((networks.IN, len(x)), np.float32).T, "an argument is not C-contiguous"),
    "a transpose": (lambda x: x.T, "xp.matrix_transpose cannot be captured: it has no bound form; a captured step"),
    "a maximum": (lambda x: xp.max(x), "xp.max cannot be captured: .* add, divide, expand_dims, mean, multiply, nega"),
    "a product of matrices": (
        lambda x: x @ np.ones((networks.IN, 3), np.float32),
        r"xp.matmul cannot be captured: NumPy.s BLAS adds .*; functional.linear multiplies x \(N, K\) by a weight",
    ),
    "axes apart": (
        lambda x: xp.sum(x.reshape(2, -1, 5), axis=(0, 2)),
        r"xp.sum cannot be captured: its kernel sums axes that stand side by side; got \(0, 2\) of shape \(2, 8, 5\)",
    ),
    "a sum in another dtype": (
        lambda x: xp.sum(x, dtype=np.float64),
        "xp.sum cannot be captured: its kernel gives the dtype of its argument, float32; got dtype=",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_bound_form_is_refused_by_name(case):
    function, message = REFUSED[case]
    with pytest.raises(tg.CaptureError, match=message):
        tg.capture(lambda x: function(F.relu(x)))(networks.batch()[0])


def test_the_gradient_of_a_number_is_refused():
    model = nn.Module()
    model.scale = nn.Parameter(np.ones((), np.float32))

    def step(x):
        model.flat().zero_grad()
        F.mean_squared_error(F.relu(x) * model.scale, np.ones_like(networks.batch()[0])).backward()

    with pytest.raises(tg.CaptureError, match=r"the gradient of its argument of shape \(\) is a sum over \(16, 5\)"):
        tg.capture(step)(networks.batch()[0])
