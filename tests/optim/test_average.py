"""The average of the weights and the loss scale: PyTorch's values, capture, checkpoints, bad input."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import twingrad as tg
from twingrad import functional as F
from twingrad import nn, optim

import networks

NAN, INF = float("nan"), float("inf")
DECAY = 0.9


def averages(model: nn.Module, optimizer: optim.Optimizer) -> dict[str, np.ndarray]:
    """The model's state with the averages in place of the weights."""
    with optimizer.averaged():
        return model.state_dict()


@pytest.mark.oracle
@pytest.mark.parametrize(("dtype", "bound"), [("float64", 1e-12), ("float32", 64 * 2.0**-23)])
@pytest.mark.parametrize("rule", ["SGD", "momentum", "nesterov", "RMSprop", "Adam", "AdamW"])
def test_a_hundred_steps_of_pytorchs_averaged_model(rule: str, dtype: str, bound: float) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test; it comes with the extra `oracle`")
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    momentum = {"momentum": {"momentum": 0.9}, "nesterov": {"momentum": 0.9, "nesterov": True}}.get(rule, {})
    name = "SGD" if momentum else rule
    options = {"lr": 0.05 if name == "SGD" else 0.003, "weight_decay": 0.0, **momentum}
    model = nn.Sequential(nn.Linear(5, 7, dtype=dtype), nn.ReLU(), nn.Linear(7, 3, dtype=dtype))
    net = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.ReLU(), torch.nn.Linear(7, 3)).to(getattr(torch, dtype))
    net.load_state_dict({path: torch.from_numpy(array) for path, array in model.state_dict().items()})
    model[0].bias.requires_grad = net[0].bias.requires_grad = False
    theirs = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(DECAY))
    their_optimizer = getattr(torch.optim, name)(net.parameters(), **options)
    optimizer = getattr(optim, name)(model, ema=DECAY, loss_scale=8.0, **options)
    for number in range(100):
        x, y = networks.batch(16, dtype, seed=number)
        optimizer.zero_grad()
        (F.softmax_cross_entropy(model(x), y) * 8.0).backward()
        optimizer.step()
        their_optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(torch.from_numpy(x)), torch.from_numpy(y)).backward()
        their_optimizer.step()
        theirs.update_parameters(net)
    found, now = averages(model, optimizer), model.state_dict()
    for path, tensor in theirs.module.state_dict().items():
        assert np.abs(found[path] - tensor.numpy()).max() <= bound * np.abs(tensor.numpy()).max(), path
    assert np.abs(found["2.weight"] - now["2.weight"]).max() > 1e-3


@pytest.mark.parametrize("ema", [0.0, 0.5, 0.999])
@pytest.mark.parametrize("name", networks.OPTIMIZERS)
def test_the_average_is_that_of_the_weights_and_changes_no_other_bit(name: str, ema: float) -> None:
    plain, model = networks.network("float64"), networks.network("float64")
    others = networks.OPTIMIZERS[name](plain), networks.OPTIMIZERS[name](model, ema=ema)
    expected = None
    for i in range(5):
        for each, optimizer in zip((plain, model), others, strict=True):
            networks.train(each, optimizer, 1, first=i)
        theta = model.flat().theta.copy()
        expected = theta if expected is None else expected + (1 - ema) * (theta - expected)
    assert others[1].state["average"].tobytes() == expected.tobytes()
    networks.assert_same_bits(networks.everything(plain), networks.everything(model))


def test_averaged_puts_the_weights_back_to_the_bit() -> None:
    model = networks.network()
    optimizer = optim.Adam(model, ema=DECAY)
    networks.train(model, optimizer, 3)
    before, view = networks.everything(model, optimizer), model[0].weight.data

    def fail_within() -> None:
        with optimizer.averaged():
            assert np.array_equal(model.flat().theta, optimizer.state["average"])
            assert model[0].weight.data is view
            model[0].weight = np.ones(model[0].weight.shape)
            raise KeyError

    with pytest.raises(KeyError):
        fail_within()
    networks.assert_same_bits(networks.everything(model, optimizer), before)


def test_a_model_moved_within_the_block_gets_its_weights_back_where_it_is() -> None:
    model = networks.network()
    optimizer = optim.SGD(model, lr=0.1, ema=DECAY)
    networks.train(model, optimizer, 3)
    before = model.state_dict()
    with optimizer.averaged():
        model.to(dtype=np.float64)
    for path, parameter in model.named_parameters().items():
        assert parameter.dtype == "float64"
        assert np.array_equal(parameter.data, before[path])


def test_parameters_that_a_step_leaves_alone() -> None:
    """One frozen from the beginning is its own average, though assigned later; one frozen later keeps its average."""
    model = nn.Sequential(nn.Linear(5, 3), nn.Linear(3, 3))
    first, last = model[0].weight, model[1].weight
    first.requires_grad = False
    optimizer = optim.SGD(model, lr=0.1, ema=DECAY)
    networks.train(model, optimizer, 3)
    last.requires_grad, held = False, averages(model, optimizer)["1.weight"]
    model[0].weight = np.full((3, 5), 7.0)
    networks.train(model, optimizer, 3)
    found = averages(model, optimizer)
    assert (found["0.weight"] == 7).all()
    assert np.array_equal(found["1.weight"], held)
    assert not np.array_equal(held, last.data)
    assert not np.array_equal(found["1.bias"], model[1].bias.data)


@pytest.mark.parametrize("scale", [2.0**-20, 2.0**20])
@pytest.mark.parametrize("name", networks.OPTIMIZERS)
def test_a_scale_that_is_a_power_of_2_changes_no_bit(name: str, scale: float) -> None:
    """Gradients are scaled and unscaled exactly; clipping sees them, and `grad_norm` tells them, unscaled."""
    models = [networks.network(), networks.network()]
    optimizers = [networks.OPTIMIZERS[name](models[0]), networks.OPTIMIZERS[name](models[1], loss_scale=scale)]
    rng = np.random.default_rng(0)
    for _ in range(5):
        for pair in zip(*(model.parameters() for model in models), strict=True):
            grad = rng.standard_normal(pair[0].shape).astype(np.float32)
            pair[0].grad, pair[1].grad = grad, grad * np.float32(scale)
        for optimizer in optimizers:
            optimizer.step()
    assert optimizers[0].grad_norm == optimizers[1].grad_norm
    networks.assert_same_bits(*(networks.everything(m, o) for m, o in zip(models, optimizers, strict=True)))


def test_an_overflow_is_handed_on_and_seen() -> None:
    model = nn.Linear(2, 1)
    optimizer = optim.SGD(model, lr=0.1, clip_norm=1.0, loss_scale=2.0**100)
    with np.errstate(over="ignore"):
        (model(np.full((1, 2), 1e20, np.float32)).sum() * 2.0**100).backward()
    optimizer.step()
    assert not np.isfinite(optimizer.grad_norm)
    assert not np.isfinite(model.weight.data).any()


@pytest.mark.parametrize("name", networks.OPTIMIZERS)
def test_captured_and_plain_steps_give_the_same_bits(name: str) -> None:
    pairs = networks.twins(name, ema=DECAY)

    def change(number: int, optimizer: Any) -> None:
        optimizer.ema = 0.5 if number > 3 else DECAY

    for pair, wrap in zip(pairs, (tg.capture, lambda step: step), strict=True):
        networks.run(pair, wrap, networks.batches(), change)
    networks.assert_same_bits(*(networks.everything(*pair) for pair in pairs))


def test_a_captured_step_is_refused_within_averaged_and_for_another_scale() -> None:
    model = networks.network()
    optimizer = optim.Adam(model, ema=DECAY)
    step = tg.capture(networks.stepper(model, optimizer))
    step(*networks.batch())
    before = networks.everything(model, optimizer)
    with optimizer.averaged(), pytest.raises(ValueError, match=r"leave averaged\(\) before Adam.step\(\)"):
        step(*networks.batch())
    networks.assert_same_bits(networks.everything(model, optimizer), before)
    optimizer.loss_scale = 4.0
    with pytest.raises(tg.CaptureError, match=r"loss_scale of Adam is 4\.0, and was 1\.0"):
        step(*networks.batch())


@pytest.mark.parametrize("how", ["state_dict", "pickle", "deepcopy"])
def test_going_on_gives_the_same_bits(how: str) -> None:
    model = networks.network(p=0.0)
    optimizer = optim.RMSprop(model, ema=DECAY, loss_scale=2.0)
    networks.train(model, optimizer, 3)
    if how == "state_dict":
        other = networks.network(p=0.0, seed=9)
        other.load_state_dict(model.state_dict())
        again: Any = optim.RMSprop(other, ema=0.5)
        again.load_state_dict(optimizer.state_dict())
        assert (again.ema, again.loss_scale) == (DECAY, 2.0)
    else:
        both = (
            copy.deepcopy((model, optimizer)) if how == "deepcopy" else pickle.loads(pickle.dumps((model, optimizer)))
        )
        other, again = both
    networks.train(model, optimizer, 3, first=3)
    networks.train(other, again, 3, first=3)
    networks.assert_same_bits(networks.everything(other, again), networks.everything(model, optimizer))
    networks.assert_same_bits(averages(other, again), averages(model, optimizer))


BAD = {
    "ema of 1": ({"ema": 1.0}, ValueError, r"ema must be in \[0, 1\), got 1\.0"),
    "ema below 0": ({"ema": -0.1}, ValueError, r"ema must be in \[0, 1\), got -0\.1"),
    "ema of NaN": ({"ema": NAN}, ValueError, r"ema must be in \[0, 1\), got nan"),
    "no ema": ({"ema": "0.9"}, TypeError, "ema must be a number, got '0.9'"),
    "scale of 0": ({"loss_scale": 0.0}, ValueError, "loss_scale must be positive, between .*; got 0.0"),
    "scale below 0": ({"loss_scale": -2.0}, ValueError, "loss_scale must be positive, between .*; got -2.0"),
    "scale of NaN": ({"loss_scale": NAN}, ValueError, "loss_scale must be positive, between .*; got nan"),
    "infinite scale": ({"loss_scale": INF}, ValueError, "loss_scale must be positive, between .*; got inf"),
    "a scale whose inverse float32 lacks": (
        {"loss_scale": 1e39},
        ValueError,
        r"between 2\^-126 and 2\^126; got 1e\+39",
    ),
    "no scale": ({"loss_scale": None}, TypeError, "loss_scale must be a number, got None"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("kind", [optim.SGD, optim.RMSprop, optim.Adam, optim.AdamW])
def test_bad_values(kind: Any, case: str) -> None:
    options, error, message = BAD[case]
    with pytest.raises(error, match=message):
        kind(**options)
    optimizer = kind(ema=0.5)
    for name, value in options.items():
        with pytest.raises(error, match=message):
            setattr(optimizer, name, value)
    assert (optimizer.ema, optimizer.loss_scale) == (0.5, 1.0)


def test_misuse() -> None:
    model = networks.network()
    with pytest.raises(ValueError, match=r"this Adam keeps no average of the weights; make it with one: Adam\(ema="):
        optim.Adam(model).averaged().__enter__()
    with pytest.raises(ValueError, match=r"has no model; pass one to it"):
        optim.Adam(ema=DECAY).averaged().__enter__()
    optimizer = optim.Adam(model, ema=DECAY)
    with pytest.raises(ValueError, match=r"ema cannot become None: .* it was made with ema=0.9"):
        optimizer.ema = None
    with optimizer.averaged():
        with pytest.raises(ValueError, match=r"averaged\(\) does not nest"):
            optimizer.averaged().__enter__()
        with pytest.raises(ValueError, match=r"leave averaged\(\) before Adam.step\(\)"):
            optimizer.step()
    with pytest.raises(ValueError, match=r"with the moments m, v, average, this one has m, v: make it with the same"):
        optim.Adam(networks.network()).load_state_dict(optimizer.state_dict())


def test_averaged_is_refused_while_a_step_is_captured() -> None:
    model = networks.network()
    optimizer = optim.SGD(model, ema=DECAY)

    def step(x: Any, y: Any) -> Any:
        with optimizer.averaged():
            return F.softmax_cross_entropy(model(x), y)

    with pytest.raises(tg.CaptureError, match=r"averaged\(\) cannot be captured"):
        tg.capture(step)(*networks.batch())


def test_a_result_of_before_the_block_cannot_go_backward_within() -> None:
    model = networks.network()
    optimizer = optim.SGD(model, ema=DECAY)
    networks.train(model, optimizer, 1)
    loss = F.softmax_cross_entropy(model(networks.batch()[0]), networks.batch()[1])
    with optimizer.averaged(), pytest.raises(tg.AutodiffError, match="overwritten"):
        loss.backward()


def test_an_optimizer_is_not_copied_while_the_weights_are_averages():
    model = nn.Linear(2, 1)
    optimizer = optim.SGD(model, lr=0.1, ema=0.5)
    with optimizer.averaged(), pytest.raises(ValueError, match=r"leave averaged\(\) before SGD is copied"):
        copy.deepcopy(optimizer)
    assert not copy.deepcopy(optimizer).holds_average
