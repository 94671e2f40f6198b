"""State of optimizers: going on with it is as not having stopped, and what does not fit changes nothing."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest

from twingrad import nn, optim
from twingrad.optim import schedules

import networks


@pytest.mark.parametrize("name", networks.OPTIMIZERS)
def test_going_on_gives_the_same_bits(name: str) -> None:
    model = networks.network(p=0.0)
    optimizer = networks.OPTIMIZERS[name](model)
    networks.train(model, optimizer, 3)
    saved, weights = optimizer.state_dict(), model.state_dict()
    networks.train(model, optimizer, 3, first=3)

    other = networks.network(p=0.0, seed=9)
    other.load_state_dict(weights)
    again = networks.OPTIMIZERS[name](other, lr=0.5)
    again.load_state_dict(saved)
    networks.train(other, again, 3, first=3)
    networks.assert_same_bits(networks.everything(other, again), networks.everything(model, optimizer))
    json.dumps([saved["hyperparameters"], saved["steps"], saved["steps_taken"]])


def test_what_a_state_holds() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1, bias=False))
    optimizer = optim.Adam(model, lr=schedules.Cosine(0.1, length=9), weight_decay=0.1, eps_form="inside")
    model(np.ones((1, 2), np.float32)).sum().backward()
    optimizer.step()
    state = optimizer.state_dict()
    assert state["optimizer"] == "Adam"
    assert state["steps_taken"] == 1
    assert state["steps"] == {"0.weight": 1, "0.bias": 1, "1.weight": 1}
    assert {name: {path: a.shape for path, a in arrays.items()} for name, arrays in state["state"].items()} == {
        name: {"0.weight": (3, 2), "0.bias": (3,), "1.weight": (1, 3)} for name in ("m", "v")
    }
    assert state["hyperparameters"]["lr"] == schedules.Cosine(0.1, length=9).to_dict()
    assert state["hyperparameters"]["eps_form"] == "inside"
    assert state["hyperparameters"]["weight_decay"] == 0.1
    fresh = optim.Adam(model)
    fresh.load_state_dict(state)
    assert fresh.lr == optimizer.lr
    assert (fresh.eps_form, fresh.weight_decay) == ("inside", 0.1)
    before = state["state"]["m"]["0.weight"].copy()
    networks_untouched = fresh.state_dict()["state"]["m"]["0.weight"]
    networks_untouched[...] = 7.0
    assert np.array_equal(fresh.state_dict()["state"]["m"]["0.weight"], before)


def test_a_function_as_learning_rate_is_not_saved() -> None:
    model = networks.network()
    state = optim.SGD(model, lr=lambda step: 0.1).state_dict()
    assert "lr" not in state["hyperparameters"]
    with pytest.raises(ValueError, match="learning rate was a function; give this one a function too"):
        optim.SGD(model).load_state_dict(state)
    own = optim.SGD(model, lr=lambda step: 0.3)
    own.load_state_dict(state)
    assert own.rate == 0.3


def spoiled(change: Any) -> dict[str, Any]:
    model = networks.network()
    optimizer = optim.Adam(model)
    networks.train(model, optimizer, 1)
    state = optimizer.state_dict()
    change(state)
    return state


SPOIL = {
    "a part is missing": (lambda s: s.pop("steps"), ValueError, "missing steps; unexpected nothing"),
    "a part too many": (lambda s: s.update(extra=1), ValueError, "unexpected extra"),
    "another optimizer": (lambda s: s.update(optimizer="SGD"), ValueError, "is of SGD, and this optimizer is Adam"),
    "a moment is missing": (lambda s: s["state"].pop("v"), ValueError, "the moments of Adam do not fit: missing v"),
    "a path is missing": (lambda s: s["state"]["m"].pop("0.weight"), ValueError, "m of Adam do not fit: missing 0.wei"),
    "another path": (lambda s: s["state"]["m"].update(x=np.zeros(1)), ValueError, "unexpected x"),
    "a shape": (
        lambda s: s["state"]["m"].update({"0.weight": np.zeros((5, 7), np.float32)}),
        ValueError,
        r"m of Adam: 0.weight has shape \(7, 5\) in the model and \(5, 7\) in the state",
    ),
    "no dict": (lambda s: s.update(state=None), TypeError, "the moments of Adam must be a dict, as .*; got NoneType"),
    "no counts": (lambda s: s.update(steps=3), TypeError, "the steps of Adam must be a dict, as .*; got int"),
    "no options": (lambda s: s.update(hyperparameters=[]), TypeError, "hyperparameters of Adam must be a dict"),
    "an epoch": (lambda s: s.update(epoch_began=3), ValueError, "epoch_began must be two integers, steps and epochs"),
    "integers": (lambda s: s["state"]["v"].update({"0.weight": np.zeros((7, 5), int)}), TypeError, "int64"),
    "a count": (lambda s: s.update(steps_taken=-1), ValueError, "steps_taken must be an integer of at least 0, got -1"),
    "no count": (lambda s: s["steps"].update({"0.weight": 1.5}), ValueError, "steps of 0.weight must be an integer"),
    "a count too many": (lambda s: s["steps"].update(x=1), ValueError, "the steps of Adam do not fit.*unexpected x"),
    "an option": (lambda s: s["hyperparameters"].pop("beta1"), ValueError, "hyperparameters of Adam.*missing beta1"),
    "its value": (lambda s: s["hyperparameters"].update(beta1=1.5), ValueError, r"beta1 must be in \[0, 1\), got 1.5"),
    "its rate": (lambda s: s["hyperparameters"].update(lr="fast"), TypeError, "lr must be a number"),
    "its schedule": (lambda s: s["hyperparameters"].update(lr={"schedule": "?"}), ValueError, "unknown schedule"),
}


@pytest.mark.parametrize("case", SPOIL)
def test_a_state_that_does_not_fit_changes_nothing(case: str) -> None:
    change, error, message = SPOIL[case]
    state = spoiled(change)
    model = networks.network()
    optimizer = optim.Adam(model, lr=0.3, beta1=0.5)
    networks.train(model, optimizer, 2)
    before, kept = networks.everything(model, optimizer), copy.deepcopy(optimizer.state_dict())
    with pytest.raises(error, match=message):
        optimizer.load_state_dict(state)
    networks.assert_same_bits(networks.everything(model, optimizer), before)
    assert optimizer.state_dict()["hyperparameters"] == kept["hyperparameters"]


def test_a_state_that_is_no_dict() -> None:
    with pytest.raises(TypeError, match="the state of Adam must be a dict, as state_dict gives it; got NoneType"):
        optim.Adam(networks.network()).load_state_dict(None)  # type: ignore[arg-type]


def test_moments_of_another_dtype_are_cast() -> None:
    wide = networks.network().to(dtype=np.float64)
    optimizer = optim.Adam(wide)
    networks.train(wide, optimizer, 2)
    narrow = optim.Adam(networks.network())
    narrow.load_state_dict(optimizer.state_dict())
    assert narrow.steps_taken == 2
    assert narrow.state["v"].dtype == np.float32
    for path, array in narrow.state_dict()["state"]["v"].items():
        np.testing.assert_array_equal(array, optimizer.state_dict()["state"]["v"][path].astype(np.float32))


def test_other_moments_are_named() -> None:
    model = networks.network()
    state = optim.SGD(model, momentum=0.9).state_dict()
    with pytest.raises(ValueError, match=r"with the moments m, this one has none: make it with the same options"):
        optim.SGD(model).load_state_dict(state)
