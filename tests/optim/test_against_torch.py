"""The optimizers against PyTorch's: 100 steps from the same weights with the same gradients of the same network."""

import numpy as np
import pytest

from twingrad import functional as F
from twingrad import nn, optim

import networks

pytestmark = pytest.mark.oracle

STEPS = 100
BOUNDS = {"float64": 1e-12, "float32": 8 * 2.0**-23}
"""Largest difference of a parameter after all steps, relative to the largest parameter: in float32, 8 ulps of it, which
the other order of PyTorch's products and sums explains."""


@pytest.fixture
def torch():
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test; it comes with the extra `oracle`")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # its idle threads would slow ours
    yield torch
    torch.set_num_threads(threads)


def ours(dtype):
    return nn.Sequential(
        nn.Linear(networks.IN, networks.HIDDEN, dtype=dtype),
        nn.ReLU(),
        nn.Linear(networks.HIDDEN, networks.OUT, dtype=dtype),
    )


def theirs(torch, model, dtype):
    net = torch.nn.Sequential(
        torch.nn.Linear(networks.IN, networks.HIDDEN),
        torch.nn.ReLU(),
        torch.nn.Linear(networks.HIDDEN, networks.OUT),
    ).to(getattr(torch, dtype))
    net.load_state_dict({name: torch.from_numpy(array) for name, array in model.state_dict().items()})
    return net


def torch_groups(net, decay):
    """Weights with decay, biases without: what twingrad does by default."""
    split = {True: [], False: []}
    for parameter in net.parameters():
        split[parameter.ndim > 1].append(parameter)
    return [{"params": split[True], "weight_decay": decay}, {"params": split[False], "weight_decay": 0.0}]


DECAYS = (0.0, 0.03)


def pair(ours_of, theirs_of, shared, ours=None, theirs=None):
    """A rule of both libraries: options under the same names, then those of each."""
    return (
        lambda model, **k: ours_of(model, **shared, **(ours or {}), **k),
        lambda torch, groups: getattr(torch.optim, theirs_of)(groups, **shared, **(theirs or {})),
    )


RULES = {
    "sgd": pair(optim.SGD, "SGD", {"lr": 0.3}),
    "momentum": pair(optim.SGD, "SGD", {"lr": 0.05, "momentum": 0.9}),
    "nesterov": pair(optim.SGD, "SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True}),
    "course": pair(optim.SGD, "SGD", {"momentum": 0.9}, {"lr": 0.5, "form": "course"}, {"lr": 0.5 * (1 - 0.9)}),
    "rmsprop": pair(optim.RMSprop, "RMSprop", {"lr": 0.01}),
    "rmsprop, other options": pair(optim.RMSprop, "RMSprop", {"lr": 0.01, "alpha": 0.9, "eps": 1e-4}),
    "rmsprop with momentum": pair(optim.RMSprop, "RMSprop", {"lr": 0.003, "momentum": 0.8}),
    "rmsprop, centered": pair(optim.RMSprop, "RMSprop", {"lr": 0.01, "centered": True, "eps": 1e-4}),
    "rmsprop with both": pair(optim.RMSprop, "RMSprop", {"lr": 0.003, "momentum": 0.5, "centered": True, "eps": 1e-4}),
    "adam": pair(optim.Adam, "Adam", {"lr": 0.01}),
    "adam, other betas": pair(
        optim.Adam, "Adam", {"lr": 0.01, "eps": 1e-4}, {"beta1": 0.8, "beta2": 0.95}, {"betas": (0.8, 0.95)}
    ),
    "adamw": pair(optim.AdamW, "AdamW", {"lr": 0.01}),
    "adam, decoupled": pair(optim.Adam, "AdamW", {"lr": 0.01}, {"decoupled": True}),
}
FLOAT32_ULPS = {"rmsprop": 64, "rmsprop, centered": 64, "rmsprop with both": 64, "rmsprop with momentum": 64}
"""Where a gradient that is rounding alone is divided by its own root, its steps differ as a whole."""


def step_both(torch, model, optimizer, net, their_optimizer, number, dtype):
    x, y = networks.batch(16, dtype, seed=number)
    optimizer.zero_grad()
    F.softmax_cross_entropy(model(x), y).backward()
    optimizer.step()
    their_optimizer.zero_grad()
    torch.nn.functional.cross_entropy(net(torch.from_numpy(x)), torch.from_numpy(y)).backward()
    their_optimizer.step()


def largest_difference(model, net):
    expected = {name: tensor.detach().numpy() for name, tensor in net.state_dict().items()}
    scale = max(np.abs(array).max() for array in expected.values())
    return max(np.abs(model.state_dict()[name] - array).max() for name, array in expected.items()) / scale


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("rule", RULES)
def test_a_hundred_steps(torch, rule, decay, dtype):
    make, their_make = RULES[rule]
    model = ours(dtype)
    net = theirs(torch, model, dtype)
    start = model.flat().theta.copy()
    optimizer, their_optimizer = make(model, weight_decay=decay), their_make(torch, torch_groups(net, decay))
    for number in range(STEPS):
        step_both(torch, model, optimizer, net, their_optimizer, number, dtype)
    difference = largest_difference(model, net)
    assert difference <= BOUNDS[dtype] * (FLOAT32_ULPS.get(rule, 8) / 8 if dtype == "float32" else 1)
    assert np.abs(model.flat().theta - start).max() > 0.05


CLIPPED = {"adam": (optim.Adam, "Adam"), "sgd": (optim.SGD, "SGD"), "rmsprop": (optim.RMSprop, "RMSprop")}


@pytest.mark.parametrize("how", ["norm", "value"])
@pytest.mark.parametrize("rule", CLIPPED)
def test_clipped_gradients(torch, rule, how):
    """Some gradients are clipped and some are not; decay comes after."""
    make, name = CLIPPED[rule]
    model = ours("float64")
    net = theirs(torch, model, "float64")
    limit = {"norm": 0.4, "value": 0.05}[how]
    optimizer = make(model, lr=0.01, weight_decay=0.1, **{f"clip_{how}": limit})
    their_optimizer = getattr(torch.optim, name)(torch_groups(net, 0.1), lr=0.01)
    norms = []
    for number in range(STEPS):
        x, y = networks.batch(16, "float64", seed=number)
        optimizer.zero_grad()
        F.softmax_cross_entropy(model(x), y).backward()
        optimizer.step()
        their_optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(torch.from_numpy(x)), torch.from_numpy(y)).backward()
        if how == "norm":
            norms.append(float(torch.nn.utils.clip_grad_norm_(net.parameters(), limit)))
            assert optimizer.grad_norm == pytest.approx(norms[-1], rel=1e-12)
        else:
            torch.nn.utils.clip_grad_value_(net.parameters(), limit)
        their_optimizer.step()
    assert largest_difference(model, net) <= BOUNDS["float64"]
    assert how == "value" or (min(norms) < limit < max(norms))


def cosine(step):
    return 0.01 * (1 + np.cos(np.pi * step / STEPS))


@pytest.mark.parametrize("how", ["assigned", "function"])
def test_a_changing_learning_rate(torch, how):
    model = ours("float64")
    net = theirs(torch, model, "float64")
    optimizer = optim.AdamW(model, lr=cosine if how == "function" else cosine(0))
    their_optimizer = torch.optim.AdamW(torch_groups(net, 0.01), lr=cosine(0))
    for number in range(STEPS):
        if how == "assigned":
            optimizer.lr = cosine(number)
        for group in their_optimizer.param_groups:
            group["lr"] = cosine(number)
        step_both(torch, model, optimizer, net, their_optimizer, number, "float64")
    assert largest_difference(model, net) <= BOUNDS["float64"]


@pytest.mark.parametrize("rule", ["adam", "adamw"])
def test_frozen_scaled_and_undecayed_parameters(torch, rule):
    """The first weight is frozen for 30 steps, the last has a tenth of the learning rate, and it alone decays."""
    make, their_make = RULES[rule]
    model = ours("float64")
    net = theirs(torch, model, "float64")
    optimizer = make(model, weight_decay=0.1)
    model[0].weight.decay, model[2].weight.lr_scale = False, 0.1
    last = {"params": [net[2].weight], "weight_decay": 0.1, "lr": 0.001}
    rest = {"params": [net[0].weight, net[0].bias, net[2].bias], "weight_decay": 0.0}
    their_optimizer = their_make(torch, [last, rest])
    for number in range(60):
        model[0].weight.requires_grad = net[0].weight.requires_grad = number >= 30
        step_both(torch, model, optimizer, net, their_optimizer, number, "float64")
    assert optimizer.steps_of(model[0].weight) == 30
    assert optimizer.steps_of(model[2].weight) == 60
    assert largest_difference(model, net) <= BOUNDS["float64"]


def test_tied_weights(torch):
    shape = (networks.HIDDEN, networks.HIDDEN)
    model = nn.Sequential(nn.Linear(*shape, dtype="float64"), nn.ReLU(), nn.Linear(*shape, dtype="float64"))
    model[2].weight = model[0].weight
    net = torch.nn.Sequential(torch.nn.Linear(*shape), torch.nn.ReLU(), torch.nn.Linear(*shape)).double()
    net[2].weight = net[0].weight
    net.load_state_dict({name: torch.from_numpy(array) for name, array in model.state_dict().items()})
    optimizer = optim.AdamW(model, lr=0.01)
    their_optimizer = torch.optim.AdamW(torch_groups(net, 0.01), lr=0.01)
    rng = np.random.default_rng(0)
    for _ in range(STEPS):
        x, y = rng.standard_normal((8, networks.HIDDEN)), rng.integers(0, networks.HIDDEN, 8)
        optimizer.zero_grad()
        F.softmax_cross_entropy(model(x), y).backward()
        optimizer.step()
        their_optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(torch.from_numpy(x)), torch.from_numpy(y)).backward()
        their_optimizer.step()
    assert largest_difference(model, net) <= BOUNDS["float64"]


def test_parameters_without_a_gradient_are_skipped_and_not_counted(torch):
    """Every third step uses the first layer alone: the last keeps its values, moments and step number."""
    model = ours("float64")
    net = theirs(torch, model, "float64")
    optimizer, their_optimizer = optim.AdamW(model, lr=0.01), torch.optim.AdamW(torch_groups(net, 0.01), lr=0.01)
    for number in range(30):
        if number % 3:
            step_both(torch, model, optimizer, net, their_optimizer, number, "float64")
            continue
        x, _ = networks.batch(4, "float64", seed=number)
        optimizer.zero_grad()
        model[0](x).sum().backward()
        optimizer.step()
        their_optimizer.zero_grad()
        net[0](torch.from_numpy(x)).sum().backward()
        their_optimizer.step()
    assert [optimizer.steps_of(p) for p in model.parameters()] == [30, 30, 20, 20]
    assert largest_difference(model, net) <= BOUNDS["float64"]


def test_accumulated_gradients(torch):
    model = ours("float64")
    net = theirs(torch, model, "float64")
    optimizer, their_optimizer = optim.Adam(model, lr=0.01), torch.optim.Adam(net.parameters(), lr=0.01)
    for number in range(20):
        optimizer.zero_grad()
        their_optimizer.zero_grad()
        for half in range(2):
            x, y = networks.batch(8, "float64", seed=2 * number + half)
            F.softmax_cross_entropy(model(x), y).backward()
            torch.nn.functional.cross_entropy(net(torch.from_numpy(x)), torch.from_numpy(y)).backward()
        optimizer.step()
        their_optimizer.step()
    assert largest_difference(model, net) <= BOUNDS["float64"]
