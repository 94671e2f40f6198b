"""What would slip past a recording, for it leaves the Tensors or is never launched, is refused by name."""

import numpy as np
import pytest

import twingrad as tg
from twingrad import Tensor, nn, optim, xp
from twingrad import functional as F
from twingrad.kernels import cpu

import networks

pytestmark = pytest.mark.skipif(not cpu.available(), reason=f"capture needs compiled kernels: {cpu.unavailable()}")

X, Y = networks.batch()


def refused(step, *args):
    """The message of the refusal."""
    with pytest.raises(tg.CaptureError) as info:
        tg.capture(step)(*args)
    return str(info.value)


def model_and_optimizer():
    model = networks.network()
    return model, optim.SGD(model, lr=0.1)


def test_a_cast_to_integers():
    model, _ = model_and_optimizer()

    def step(x, y):
        return F.softmax_cross_entropy(model(x), xp.astype(y, np.int64))

    assert "xp.astype cannot be captured" in refused(step, X, Y.astype(np.int32))


def test_a_gradient_of_a_function():
    weight = np.ones((networks.OUT, networks.IN), np.float32)

    def step(x, y):
        gradient = tg.grad(lambda w: F.softmax_cross_entropy(F.linear(x, w), y))(weight)
        F.sgd_update(weight, gradient, lr=0.1)

    assert "a gradient of a function cannot be captured" in refused(step, X, Y)
    assert np.array_equal(weight, np.ones_like(weight))


@pytest.mark.parametrize("read", [np.from_dlpack, lambda loss: loss.__dlpack__()], ids=["numpy", "capsule"])
def test_the_memory_of_a_tensor(read):
    model, _ = model_and_optimizer()
    assert "Tensor.__dlpack__()" in refused(lambda x, y: read(F.softmax_cross_entropy(model(x), y)), X, Y)


def test_the_state_of_a_model():
    model, optimizer = model_and_optimizer()
    kept = []

    def step(x, y):
        networks.stepper(model, optimizer)(x, y)
        kept.append(model.state_dict())

    before = model.state_dict()
    assert "Module.state_dict()" in refused(step, X, Y)
    assert all(np.array_equal(before[name], value) for name, value in model.state_dict().items())


def test_writes_into_an_argument():
    weight, gradient = np.ones(3, np.float32), np.ones(3, np.float32)
    assert "sgd's update of param" in refused(lambda w, g: F.sgd_update(w, g, lr=0.1), weight, gradient)
    running = np.zeros(networks.IN, np.float32), np.ones(networks.IN, np.float32)
    ones = np.ones(networks.IN, np.float32)
    normalise = lambda x, mean, var: F.batch_norm(x, ones, ones, mean, var, training=True)  # noqa: E731
    assert "running_mean is read-only" in refused(normalise, X, *running)
    assert not running[0].any()


def test_a_refusal_after_the_backward_pass_keeps_the_gradients_that_were_there():
    model = nn.Sequential(nn.Linear(networks.IN, networks.OUT))
    optimizer = optim.SGD(model, lr=0.1)
    F.softmax_cross_entropy(model(X), Y).backward()
    before = model[0].weight.grad.copy()

    def step(x, y):
        loss = F.softmax_cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        return xp.exp(loss)

    assert "xp.exp cannot be captured" in refused(step, 2 * X, Y)
    assert np.array_equal(model[0].weight.grad, before)


def test_an_argument_is_a_tensor_that_is_read_as_usual():
    captured = tg.capture(lambda x: F.relu(x))
    assert np.array_equal(captured(X).data, np.maximum(X, 0))
    assert np.array_equal(captured(Tensor(-X)).data, np.maximum(-X, 0))


def test_a_replaced_array_of_an_optimizers_state():
    model = networks.network()
    optimizer = optim.Adam(model)
    captured = tg.capture(networks.stepper(model, optimizer))
    captured(X, Y)
    optimizer.state["m"][...] = 0.0
    captured(X, Y)
    optimizer.state["m"] = np.zeros_like(optimizer.state["m"])
    with pytest.raises(tg.CaptureError, match="an array of the state of Adam was replaced"):
        captured(X, Y)
    assert optimizer.steps_taken == 2


def test_input_that_a_layer_casts():
    model, _ = model_and_optimizer()
    message = refused(model, X.astype(np.float64))
    assert "Linear(5, 7) cannot be captured: it casts float64 input to its parameters' float32" in message


@pytest.mark.parametrize("name", ["theta", "grad"])
def test_a_models_flat_arrays(name):
    model, optimizer = model_and_optimizer()

    def step(x, y):
        loss = F.softmax_cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        array = getattr(model.flat(), name)
        array *= 0.5
        optimizer.step()

    assert f"FlatParameters.{name} cannot be captured" in refused(step, X, Y)


def test_a_plain_array_from_a_kernel():
    scale = np.ones((networks.OUT, networks.IN), np.float32)
    assert "relu cannot be captured: it is given plain arrays" in refused(lambda x: F.linear(x, F.relu(scale) * 2), X)


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_a_switch_of_mode(mode):
    model, _ = model_and_optimizer()

    def step(x):
        getattr(model, mode)()
        return model(x)

    assert f"switching to {mode} mode cannot be captured" in refused(step, X)
    assert model.training
