"""The flat buffers: parameters and gradients stay views of them whatever is done to the model."""

import copy
import pickle

import numpy as np
import pytest

import twingrad as tg
from twingrad import functional as F
from twingrad import nn, optim

import networks

ACTIONS = {
    "new": lambda model: model,
    "deepcopy": copy.deepcopy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "to cpu": lambda model: model.to("cpu"),
    "to float64": lambda model: model.to(dtype=np.float64),
    "to like": lambda model: model.to(like=np.zeros(0)),
    "there and back": lambda model: model.to(dtype=np.float64).to(dtype=np.float32),
    "assignment": lambda model: setattr(model[0], "weight", np.ones((7, 5))) or model,
    "load_state_dict": lambda model: model.load_state_dict(networks.network(seed=3).state_dict()) or model,
    "eval": lambda model: model.eval(),
    "freeze": lambda model: setattr(model[0].weight, "requires_grad", False) or model,
    "larger model": lambda model: nn.Sequential(model, nn.Linear(3, 2)),
}


@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize("action", ACTIONS)
def test_parameters_stay_on_the_buffer(action, used):
    model = networks.network()
    if used:
        networks.train(model, networks.OPTIMIZERS["adam"](model), 2)
    model = ACTIONS[action](model)
    networks.assert_on_the_flat_buffer(model)
    model.train()
    flat, (x, _) = model.flat(), networks.batch()
    flat.zero_grad()
    model(x).sum().backward()
    for parameter in model.parameters():
        if parameter.requires_grad:
            assert np.shares_memory(parameter.grad, flat.grad)
    optim.SGD(model, lr=0.5).step()
    assert model.flat() is flat
    networks.assert_on_the_flat_buffer(model)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_segments_are_aligned_apart_and_in_order(dtype):
    model = networks.network(dtype)
    flat, unit = model.flat(), 64 // np.dtype(dtype).itemsize
    offsets, lengths = flat.segments.T
    assert (offsets % unit == 0).all()
    assert lengths.tolist() == [35, 7, 7, 7, 21, 3]
    assert (offsets[1:] >= offsets[:-1] + lengths[:-1]).all()
    assert offsets[-1] + lengths[-1] <= len(flat.theta) == len(flat.grad)
    assert flat.theta.ctypes.data % 64 == flat.grad.ctypes.data % 64 == 0


def test_values_written_to_theta_are_the_parameters_values():
    model = networks.network()
    model.flat().theta[...] = 0.5
    assert all((p.data == 0.5).all() for p in model.parameters())


COPIES = {"deepcopy": copy.deepcopy, "pickle": lambda pair: pickle.loads(pickle.dumps(pair))}


@pytest.mark.parametrize("name", networks.OPTIMIZERS)
@pytest.mark.parametrize("how", COPIES)
def test_training_goes_on_after_a_copy_as_it_would_have(how, name):
    model = networks.network()
    optimizer = networks.OPTIMIZERS[name](model)
    networks.train(model, optimizer, 3)
    twin, twin_optimizer = COPIES[how]((model, optimizer))
    networks.assert_same_bits(networks.everything(twin, twin_optimizer), networks.everything(model, optimizer))
    assert twin.flat().theta is not model.flat().theta
    at_copy = networks.everything(twin, twin_optimizer)
    networks.train(model, optimizer, 3, first=3)
    networks.assert_same_bits(networks.everything(twin, twin_optimizer), at_copy)
    networks.train(twin, twin_optimizer, 3, first=3)
    networks.assert_same_bits(networks.everything(twin, twin_optimizer), networks.everything(model, optimizer))


@pytest.mark.parametrize("name", networks.OPTIMIZERS)
def test_training_goes_on_after_a_move_as_it_would_have(name):
    models = [networks.network(), networks.network()]
    optimizers = [networks.OPTIMIZERS[name](model) for model in models]
    for model, optimizer in zip(models, optimizers, strict=True):
        networks.train(model, optimizer, 3)
    models[1].to(dtype=np.float64).to("cpu", dtype=np.float32)
    for model, optimizer in zip(models, optimizers, strict=True):
        networks.train(model, optimizer, 3, first=3)
    networks.assert_same_bits(*(networks.everything(m, o) for m, o in zip(models, optimizers, strict=True)))


def test_gradients_move_with_the_model():
    model = networks.network()
    model(networks.batch()[0]).sum().backward()
    before = [p.grad.copy() for p in model.parameters()]
    model.to(dtype=np.float64)
    for parameter, grad in zip(model.parameters(), before, strict=True):
        assert parameter.grad.dtype == np.float64
        np.testing.assert_array_equal(parameter.grad, grad)


def test_a_copy_has_settings_of_its_own():
    model = networks.network()
    model[0].weight.requires_grad, model[0].weight.lr_scale, model[4].weight.decay = False, 0.5, False
    twin = copy.deepcopy(model)
    model[0].weight.requires_grad = True
    assert (twin[0].weight.requires_grad, twin[0].weight.lr_scale, twin[4].weight.decay) == (False, 0.5, False)


def test_tied_weights_stay_tied_in_a_copy():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight
    for how in COPIES.values():
        twin = how(model)
        assert twin[0].weight is twin[1].weight
        assert len(twin.flat().segments) == 3


@pytest.mark.parametrize("mode", ["auto", "never"])
def test_two_backward_passes_add_up(mode):
    with tg.fused(mode):
        model = networks.network(np.float64, p=0.0).eval()
        (x, y), (x2, y2) = networks.batch(8, np.float64), networks.batch(8, np.float64, seed=1)
        separate = []
        for a, b in ((x, y), (x2, y2)):
            model.flat().zero_grad()
            F.softmax_cross_entropy(model(a), b).backward()
            separate.append(model.flat().grad.copy())
        model.flat().zero_grad()
        for a, b in ((x, y), (x2, y2)):
            F.softmax_cross_entropy(model(a), b).backward()
        np.testing.assert_allclose(model.flat().grad, separate[0] + separate[1], rtol=1e-12, atol=1e-15)


def test_gradients_come_and_go():
    model = networks.network()
    weight = model[0].weight
    assert weight.grad is None
    model(networks.batch()[0]).sum().backward()
    kept = weight.grad
    assert kept.any()
    weight.grad = None
    assert weight.grad is None
    assert model[0].bias.grad is not None
    weight.grad = np.full((7, 5), 2.0)
    assert np.shares_memory(weight.grad, model.flat().grad)
    assert (weight.grad == 2).all()
    model.flat().zero_grad()
    assert all(p.grad is None for p in model.parameters())
