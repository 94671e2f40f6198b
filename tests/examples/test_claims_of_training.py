"""The examples about initial weights, optimizers, batch norm, transfer and several tasks, each for a seed."""

import importlib.util
from pathlib import Path

import pytest

from twingrad.data.fashion_mnist import folders

PLOT = importlib.util.find_spec("matplotlib") is not None
needs_fashion_mnist = pytest.mark.skipif(
    not any(folder.is_dir() for folder in folders()), reason="Fashion-MNIST is not installed"
)


def test_symmetry(printed, number):
    out = printed("symmetry")
    assert "loss 2.30258, ln 10 is 2.30259" in out
    assert "'0.weight': 0.0, '0.bias': 0.0, '2.weight': 0.0" in out
    assert number("distinct units, zeros: ([0-9.]+)", out) == 1
    assert number("distinct units, random: ([0-9.]+)", out) == 32
    assert Path("symmetry.png").exists() == PLOT


def test_deep_relu(printed, number):
    out = printed("deep_relu")
    he, one, hundredth = (
        number(rf"accuracy, {name}: ([0-9.]+)%", out) for name in ("He", "deviation 1", "deviation 0.01")
    )
    assert he > 70
    assert max(one, hundredth) < 40
    assert number(r"deviation 1: deviation ([0-9.e+]+) after 30", out) > 1e13
    assert Path("deep_relu.png").exists() == PLOT


def test_batch_norm_rate(printed, number):
    out = printed("batch_norm_rate")
    plain, normed = (number(rf"{name}: .* tolerated is ([0-9.]+)", out) for name in ("plain", "batch norm"))
    assert normed > 3 * plain
    assert Path("batch_norm_rate.png").exists() == PLOT


def test_multi_task(printed, number):
    out = printed("multi_task")
    assert number(r"mean: shared ([0-9.]+)%", out) > 80
    assert Path("multi_task.png").exists() == PLOT


@needs_fashion_mnist
def test_optimizers(measure):
    functions = measure("optimizers").__globals__
    data = functions["images"](0)
    epochs = {name: functions["epochs_to_goal"](0, name, lr, data) for name, lr in functions["TUNED"].items()}
    assert epochs["Adam"] <= epochs["momentum"] < epochs["descent"] < 20


@needs_fashion_mnist
def test_transfer(measure):
    found = measure("transfer")(0)
    assert found["new question, last layer trained"] > found["new question, from scratch"]
    assert len(found) == 6
