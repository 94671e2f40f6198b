"""Every layer, loss and optimizer in a captured step leaves the bits of plain steps."""

import inspect

import numpy as np
import pytest

import twingrad as tg
from twingrad import nn, optim
from twingrad.kernels import cpu
from twingrad.train.losses import LOSSES

import networks
from captured_cases import CASES, EVERYTHING, LAYERS, batch_of, network, step_of

pytestmark = pytest.mark.skipif(not cpu.available(), reason=f"capture needs compiled kernels: {cpu.unavailable()}")


def left_by(layer, case, optimizer, dtype, wrap):
    model, rule, step = step_of(layer, case, optimizer, dtype)
    step = wrap(step)
    losses = {f"loss {i}": step(*batch_of(layer, case, dtype, i)).numpy().copy() for i in range(4)}
    return losses | networks.everything(model, rule)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("what", EVERYTHING, ids=", ".join)
def test_captured_steps_equal_plain_ones(what, dtype):
    networks.assert_same_bits(left_by(*what, dtype, tg.capture), left_by(*what, dtype, lambda step: step))


def test_nothing_is_left_out():
    modules = {name for name in nn.__all__ if issubclass_of(getattr(nn, name), nn.Module)}
    assert modules - {"Module"} == LAYERS.keys()
    assert set(LOSSES) <= {case.partition(",")[0] for case in CASES}
    optimizers = {type(make(network("ReLU", np.float32))).__name__ for make in networks.OPTIMIZERS.values()}
    rules = {name for name in optim.__all__ if issubclass_of(getattr(optim, name), optim.Optimizer)}
    assert optimizers == rules - {"Optimizer"}


def issubclass_of(thing, base):
    return inspect.isclass(thing) and issubclass(thing, base)
