"""Transfer learning beside PyTorch: frozen layers, groups of learning rates, layers thawed later."""

import numpy as np
import pytest

import twingrad as tg
from twingrad import functional as F
from twingrad import nn, optim
from twingrad.data import Dataset, Preprocessing


def make(seed=0, dtype=np.float64):
    layers = (nn.Linear(5, 4, dtype=dtype), nn.Tanh(), nn.Linear(4, 4, dtype=dtype), nn.Tanh())
    return nn.Sequential(*layers, nn.Linear(4, 3, dtype=dtype), seed=seed)


def batches(count):
    rng = np.random.default_rng(0)
    return [(rng.normal(size=(8, 5)), rng.integers(0, 3, 8)) for _ in range(count)]


def step(model, optimizer, x, y):
    optimizer.zero_grad()
    F.softmax_cross_entropy(model(x), y).backward()
    optimizer.step()


@pytest.mark.oracle
@pytest.mark.parametrize("kind", ["Adam", "SGD"])
def test_freezing_scaling_and_thawing_are_pytorchs(kind):
    torch = pytest.importorskip("torch", reason="PyTorch (extra `oracle`) is not installed")
    options = {"weight_decay": 0.01} | ({"momentum": 0.9} if kind == "SGD" else {})
    ours = make()
    theirs = torch.nn.Sequential(
        torch.nn.Linear(5, 4), torch.nn.Tanh(), torch.nn.Linear(4, 4), torch.nn.Tanh(), torch.nn.Linear(4, 3)
    ).double()
    theirs.load_state_dict({name: torch.tensor(value) for name, value in ours.state_dict().items()})
    nn.freeze(ours[0])
    nn.scale_lr(ours[2], factor=0.1)
    for parameter in ours.parameters():
        parameter.decay = True  # as PyTorch's does
    optimizer = getattr(optim, kind)(ours, lr=0.05, **options)
    theirs[0].requires_grad_(False)
    groups = [
        {"params": theirs[0].parameters()},
        {"params": theirs[2].parameters(), "lr": 0.005},
        {"params": theirs[4].parameters()},
    ]
    reference = getattr(torch.optim, kind)(groups, lr=0.05, **options)
    for number, (x, y) in enumerate(batches(12)):
        if number == 6:
            nn.freeze(ours[0], frozen=False)
            theirs[0].requires_grad_(True)
        step(ours, optimizer, x, y)
        reference.zero_grad()
        torch.nn.functional.cross_entropy(theirs(torch.tensor(x)), torch.tensor(y)).backward()
        reference.step()
        for name, value in theirs.state_dict().items():
            assert np.abs(ours.state_dict()[name] - value.numpy()).max() < 1e-12, (number, name)


def test_frozen_layers_keep_their_bits_in_fit_and_captured_steps():
    data = tg.data.load("digits").take(slice(0, 200)).split(seed=0)
    model = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10), seed=0)
    nn.freeze(model[0])
    before = model.state_dict()
    optimizer = optim.AdamW(lr=0.01)
    history = tg.fit(model, data, optimizer=optimizer, epochs=3, keep="last", device="cpu")
    after = model.state_dict()
    assert after["0.weight"].tobytes() == before["0.weight"].tobytes()
    assert after["2.weight"].tobytes() != before["2.weight"].tobytes()
    assert [optimizer.steps_of(p) for p in model.parameters()] == [0, 0, history[-1].step, history[-1].step]


def test_a_model_that_is_frozen_as_a_whole_learns_nothing():
    model = nn.Sequential(nn.Linear(64, 10), seed=0)
    nn.freeze(model)
    with pytest.raises(ValueError, match="fit: all 2 parameters are frozen"):
        tg.fit(model, tg.data.load("digits"), epochs=1, device="cpu")


def test_replaced_layers_are_new_and_the_others_keep_their_values():
    model = make(dtype=np.float32)
    model(np.ones((1, 5), np.float32))
    old = model.state_dict()
    assert nn.replace_last(model, nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2), count=1) is model
    new = model.state_dict()
    assert [name for name in new if name.endswith("weight")] == ["0.weight", "2.weight", "4.weight", "6.weight"]
    assert all(np.array_equal(new[name], old[name]) for name in ("0.weight", "0.bias", "2.weight", "2.bias"))
    assert model(np.ones((2, 5), np.float32)).shape == (2, 2)
    nn.replace_last(model, nn.Linear(4, 9), count=3)
    assert len(model) == 5
    assert model(np.ones((2, 5), np.float32)).shape == (2, 9)


def test_a_preprocessing_for_other_targets():
    rng = np.random.default_rng(0)
    first = Dataset(rng.normal(5, 3, (40, 2)), rng.integers(0, 3, 40), classes=("a", "b", "c"))
    second = Dataset(rng.normal(5, 3, (30, 2)), rng.normal(100, 20, 30))
    fitted = Preprocessing.fit(first)
    found = fitted.for_targets(second)
    assert np.array_equal(found.apply(second.x), fitted.apply(second.x))
    assert (found.task, found.classes) == ("regression", ())
    scaled = found.targets(second.y)
    assert (scaled.mean(), scaled.std()) == pytest.approx((0, 1), abs=1e-6)
    model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 3), seed=0)
    few = {"epochs": 3, "batch_size": 8, "device": "cpu"}
    tg.fit(model, first, preprocessing=fitted, **few)
    nn.replace_last(model, nn.Linear(8, 1))
    history = tg.fit(model, second, preprocessing=model.preprocessing.for_targets(second), **few)
    assert set(history[-1].train.metrics) == {"r2", "rmse", "mae"}
    with pytest.raises(ValueError, match=r"was trained on 2 features; got 3 features"):
        fitted.for_targets(Dataset(np.ones((4, 3)), np.arange(4.0)))


BAD = [
    (lambda m: nn.freeze(), ValueError, "freeze: nothing given has no parameters"),
    (lambda m: nn.freeze(m[1]), ValueError, r"freeze: Tanh\(\) has no parameters"),
    (
        lambda m: nn.scale_lr(m[0], factor=-1),
        ValueError,
        "factor must be a finite number of at least 0, got -1",
    ),
    (lambda m: nn.scale_lr(m[0], factor=float("nan")), ValueError, "got nan"),
    (lambda m: nn.replace_last(m, nn.ReLU(), count=0), ValueError, "count must be from 1 to the 5 layers .* got 0"),
    (lambda m: nn.replace_last(m, nn.ReLU(), count=6), ValueError, "got 6"),
    (lambda m: nn.replace_last(m, nn.ReLU(), count=1.0), TypeError, "replace_last: count must be an int; got 1.0"),
    (lambda m: nn.freeze([m[0]]), TypeError, r"freeze takes modules, such as model\[0\]; got a list"),
    (lambda m: nn.freeze(m[0].weight), TypeError, "got a Parameter"),
    (lambda m: nn.replace_last(m, 3), TypeError, "replace_last: layer 0 is a int, not a Module"),
    (lambda m: nn.replace_last(m[0], nn.ReLU()), TypeError, "replace_last takes a Sequential, got a Linear"),
]


@pytest.mark.parametrize(("call", "kind", "message"), BAD)
def test_bad_input(call, kind, message):
    model = make()
    with pytest.raises(kind, match=message):
        call(model)
    assert len(model) == 5
