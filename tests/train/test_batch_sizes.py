"""Batch, mini-batch and stochastic descent by batch size; mini-batches first, then the whole batch: beside PyTorch."""

import numpy as np
import pytest

import twingrad as tg
from twingrad import nn, optim
from twingrad.data import batches

OPTIMIZERS = {
    "momentum": (lambda: optim.SGD(lr=0.05, momentum=0.9), "SGD", {"lr": 0.05, "momentum": 0.9}),
    "rmsprop": (lambda: optim.RMSprop(lr=1e-3), "RMSprop", {"lr": 1e-3}),
    "adam": (lambda: optim.Adam(lr=1e-2), "Adam", {"lr": 1e-2}),
}


def make():
    return nn.Sequential(nn.Linear(64, 10, dtype=np.float64), seed=3)


def fitted(data, optimizer, sizes, model=None):
    model = make() if model is None else model
    for seed, (batch_size, epochs) in enumerate(sizes):
        options = {"batch_size": batch_size, "epochs": epochs, "keep": "last", "seed": seed}
        tg.fit(model, data, optimizer=optimizer, **options)
    return model.state_dict()


@pytest.mark.oracle
@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("sizes", [((32, 2), (144, 3)), ((144, 2),), ((1, 1), (50, 1), (144, 1))], ids=str)
def test_the_state_goes_on_as_pytorchs_does(data, name, sizes):
    torch = pytest.importorskip("torch", reason="PyTorch (extra `oracle`) is not installed")
    ours, kind, options = OPTIMIZERS[name]
    train = data.train
    model = torch.nn.Linear(64, 10, dtype=torch.float64)
    for parameter, value in zip(model.parameters(), make().state_dict().values(), strict=True):
        parameter.data[...] = torch.tensor(value)
    optimizer = getattr(torch.optim, kind)(model.parameters(), **options)
    for seed, (batch_size, epochs) in enumerate(sizes):
        for epoch in range(epochs):
            for index in batches(len(train), batch_size, seed=seed, epoch=epoch):
                x, y = torch.tensor(train.x[index], dtype=torch.float64), torch.tensor(train.y[index])
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(model(x), y).backward()
                optimizer.step()
    expected = [parameter.detach().numpy() for parameter in model.parameters()]
    for found, value in zip(fitted(train, ours(), sizes).values(), expected, strict=True):
        assert np.abs(found - value).max() < 1e-9


def test_a_new_optimizer_instead_would_differ(data):
    optimizer, model = optim.Adam(lr=1e-2), make()
    fitted(data.train, optimizer, [(32, 1)], model)
    assert optimizer.steps_taken == 5
    before = model.state_dict()
    kept = fitted(data.train, optimizer, [(144, 1)], model)
    assert optimizer.steps_taken == 6
    fresh = make()
    fresh.load_state_dict(before)
    anew = fitted(data.train, optim.Adam(lr=1e-2), [(144, 1)], fresh)
    assert np.abs(kept["0.weight"] - anew["0.weight"]).max() > 1e-3


def test_the_whole_batch_in_any_order_is_the_same_step(data):
    found = [fitted(data.train, optim.SGD(lr=0.1), [(144, 1)]) for _ in range(2)]
    x, y = data.train.x.astype(np.float64), data.train.y
    start = make().state_dict()
    z = x @ start["0.weight"].T + start["0.bias"]
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(y)), y] -= 1
    expected = start["0.weight"] - 0.1 * p.T @ x / len(y)
    assert np.abs(found[0]["0.weight"] - expected).max() < 1e-12
    assert np.array_equal(found[0]["0.weight"], found[1]["0.weight"])
