"""A whole training step on array-api-strict: the numbers of the NumPy reference, and no hidden wait for the device."""

import collections
import copy
import traceback

import numpy as np
import pytest

import twingrad as tg
from twingrad.namespace import namespace_of

import networks
from libraries import LIBRARIES

STRICT = [library for library in LIBRARIES if library.name.startswith("strict")]
STEPS = 3


@pytest.fixture(params=STRICT, ids=repr)
def strict(request):
    return request.param


def train_on(library, model, optimizer, steps=STEPS):
    """The losses of `steps` steps, in the library's widest float."""
    losses, step = [], networks.stepper(model, optimizer)
    for i in range(steps):
        x, y = networks.batch(dtype=library.floats[-1], seed=i)
        losses.append(library.numpy(step(library.asarray(x), library.asarray(y))))
    return losses


@pytest.mark.parametrize("name", networks.OPTIMIZERS)
def test_training_gives_the_numbers_of_numpys_reference(strict, name):
    model, reference = networks.network(strict.floats[-1]), networks.network(strict.floats[-1])
    optimizers = [networks.OPTIMIZERS[name](m) for m in (model, reference)]
    model.to(like=strict.asarray(np.zeros(0)))
    losses = train_on(strict, model, optimizers[0])
    with tg.fused("never"):
        step = networks.stepper(reference, optimizers[1])
        expected = [step(*networks.batch(dtype=strict.floats[-1], seed=i)).numpy() for i in range(STEPS)]
    np.testing.assert_allclose(losses, expected, rtol=strict.tolerance())
    found, wanted = model.state_dict(), reference.state_dict()
    for path, array in wanted.items():
        assert found[path].dtype == array.dtype, path
        np.testing.assert_allclose(found[path], array, rtol=10 * strict.tolerance(), atol=1e-6, err_msg=path)
    for array in (model.flat().theta, model.flat().grad, *optimizers[0].state.values(), model[1].running_var):
        strict.numpy(array)


def test_a_model_moves_there_and_its_state_comes_back(strict):
    model = networks.network(strict.floats[-1], seed=4)
    expected = model.state_dict()
    model.to(like=strict.asarray(np.zeros(0)))
    networks.assert_same_bits(model.state_dict(), expected)
    other = networks.network(strict.floats[-1], seed=5).to(like=strict.asarray(np.zeros(0)))
    other.load_state_dict(expected)
    networks.assert_same_bits(other.state_dict(), expected)
    twin = copy.deepcopy(other)
    networks.assert_same_bits(twin.state_dict(), expected)
    other[0].bias = strict.asarray(np.ones(networks.HIDDEN))
    assert (other.state_dict()["0.bias"] == 1).all()
    strict.numpy(twin.flat().theta)


def test_input_of_another_library_is_refused(strict):
    model = networks.network()
    with pytest.raises(tg.DeviceError, match=r"Linear\(5, 7\) has its parameters on cpu, its input is on array_api_st"):
        model(strict.asarray(networks.batch()[0]))


WAITS = ("__float__", "__bool__", "__int__", "__index__", "__complex__", "__dlpack__", "__array__", "to_device")


def test_a_training_step_never_waits_for_the_device(strict, monkeypatch):
    """On a GPU each of these calls would stop the host until the device is done; the user's own are all there are."""
    model = networks.network(strict.floats[-1])
    optimizer = networks.OPTIMIZERS["adamw"](model)
    model.to(like=strict.asarray(np.zeros(0)))
    train_on(strict, model, optimizer, 1)
    waits = collections.Counter()

    def counted(name, plain):
        def method(self, *args):
            waits[name, traceback.extract_stack(limit=2)[0].filename.rpartition("/")[2]] += 1
            return plain(self, *args)

        return method

    kind = type(model.flat().theta)
    for name in WAITS:
        if hasattr(kind, name):
            monkeypatch.setattr(kind, name, counted(name, getattr(kind, name)))
    x, y = networks.batch(dtype=strict.floats[-1])
    x, y = strict.asarray(x), strict.asarray(y)
    waits.clear()
    loss = networks.stepper(model, optimizer)(x, y)
    assert not waits
    float(loss)
    assert waits == {("__float__", "tensor.py"): 1}
    assert namespace_of(model.flat().theta) is strict.xp
