"""What stands where a label is missing reaches neither the loss nor the gradient, on both paths."""

import numpy as np
import pytest

import twingrad as tg
from twingrad import functional as F

from kernels_here import no_kernels

LOSSES = [F.binary_cross_entropy, F.mean_squared_error, F.mean_absolute_error]
MODES = [
    "never",
    pytest.param("require", marks=pytest.mark.skipif(bool(no_kernels()), reason=str(no_kernels()))),
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
def test_a_prediction_without_a_label_does_not_count(loss, bad, mode):
    x = np.asarray([[0.5, bad], [-1.0, 2.0]])
    target, mask = np.asarray([[1.0, 0.0], [0.0, 1.0]]), np.asarray([[True, False], [True, True]])
    with tg.fused(mode):
        value, slope = tg.value_and_grad(lambda x: loss(x, target, mask=mask))(x)
        x[0, 1] = 7.0
        value_there, slope_there = tg.value_and_grad(lambda x: loss(x, target, mask=mask))(x)
    assert np.isfinite(value)
    assert value == value_there
    np.testing.assert_array_equal(slope, slope_there)
    assert slope[0, 1] == 0


@pytest.mark.parametrize("mode", MODES)
def test_centered_rmsprop_stays_finite_under_a_constant_gradient(mode):
    """In float32 the mean of squares less the square of the mean turns negative by rounding (PyTorch: NaN)."""
    from twingrad import nn, optim

    model = nn.Linear(8, 8, bias=False)
    optimizer = optim.RMSprop(model, lr=1e-3, centered=True)
    gradient = np.linspace(0.01, 3.0, 64, dtype=np.float32).reshape(8, 8)
    with tg.fused(mode):
        for _ in range(2000):
            model.weight.grad = gradient
            optimizer.step()
    assert np.isfinite(model.weight.data).all()
