"""The examples about regularisation."""

import importlib.util
import re
from pathlib import Path

import pytest

from twingrad.data.fashion_mnist import folders

PLOT = importlib.util.find_spec("matplotlib") is not None
IMAGES = any(folder.is_dir() for folder in folders())


def test_dropout_as_l2(printed, number):
    out = printed("dropout_as_l2")
    assert "mean over all 8 masks 30.3525, closed form 30.3525" in out
    assert number(r"differ by at most ([0-9.]+)", out) < 0.02
    assert Path("dropout_as_l2.png").exists() == PLOT


def test_large_lambda(printed):
    out = printed("large_lambda")
    straight, errors = (
        [float(each) for each in re.findall(pattern, out)]
        for pattern in (r"straight (\S+),", r"train error ([0-9.]+)%")
    )
    assert straight == sorted(straight)
    assert straight[0] < 0.9 < 0.98 < straight[3]
    assert errors[0] < 2 < 8 < errors[3]
    assert Path("large_lambda.png").exists() == PLOT


def test_regularisation(measure):
    found = measure("regularisation")(0, epochs=30)
    for name in ("plain", "L2", "dropout"):
        assert found[f"gap, {name}"] == pytest.approx(found[f"test error, {name}"] - found[f"train error, {name}"])
        assert found[f"test error, {name}"] < 0.12
    assert found["gap of costs, strong L2"] < found["gap of costs, plain"]


def test_regularisation_runs(printed):
    assert "lambda/m 0.1: train error" in printed("regularisation")
    assert Path("regularisation.png").exists() == PLOT


def test_early_stopping(printed, number):
    out = printed("early_stopping")
    last, stopped = (number(rf"{name}: .*test error ([0-9.]+)%", out) for name in ("to the end", "stopped early"))
    assert stopped < last - 2
    assert number(r"stopped early: (\d+) epochs", out) == number(r"stopped early: .*accuracy (\d+);", out) + 10
    first, least, at_last = (float(cost) for cost in re.search(r"dev cost (\S+), least (\S+) .* (\S+)", out).groups())
    assert least < 0.9 * at_last < at_last < first
    assert Path("early_stopping.png").exists() == PLOT


def test_sparsity(printed):
    out = printed("sparsity")
    zeros = [int(count) for count in re.findall(r": (\d+) of 50 weights are 0", out)]
    assert zeros == [0, 0, 45, 45]
    shares = [float(share) for share in re.findall(r"([0-9.]+)% of the weights are 0", out)]
    assert shares == sorted(shares)
    assert shares[0] == 0 < 50 < shares[-1]
    assert Path("sparsity.png").exists() == PLOT


def test_dropout(printed, number):
    out = printed("dropout")
    assert "keep_prob by hidden layer: 0.8, 0.5, 1" in out
    assert number(r"with dropout: J rose in (\d+) of 149", out) > 15
    assert "without: J rose in 0 of 149 steps;" in out
    assert number(r"rate 10 times as large: J rose in (\d+) of 149", out) > 3
    assert Path("dropout.png").exists() == PLOT


def test_label_smoothing(printed, number):
    out = printed("label_smoothing", seeds=range(2))
    assert "s = 0.1: targets 0.91 and 0.01, met by a logit of 4.51" in out
    by_logit = [float(cost) for cost in re.findall(r"([0-9.]+) smoothed", out)]
    assert min(by_logit) == by_logit[2] == 0.5003  # the entropy of the targets
    sure = [number(rf"s = {s}: .*sure of ([0-9.]+)%", out) for s in ("0", "0.05", "0.1", "0.2")]
    assert sure == sorted(sure, reverse=True)
    assert "more than they are right" in out
    assert "less than they are right" in out
    assert Path("label_smoothing.png").exists() == PLOT


@pytest.mark.filterwarnings("ignore:the plain step runs instead:twingrad.CaptureWarning")  # without kernels
def test_weight_averaging(printed, number):
    out = printed("weight_averaging", seeds=range(2))
    names = ("the weights", "average, 0.9", "average, 0.99", "average, 0.999")
    costs = {name: number(rf"{name}: dev cost ([0-9.]+)", out) for name in names}
    assert costs["average, 0.99"] < costs["the weights"] < costs["average, 0.999"]
    moves = {name: number(rf"{name}: .*changes by ([0-9.]+)", out) for name in names}
    assert moves["average, 0.99"] < moves["average, 0.9"] < moves["the weights"]
    assert Path("weight_averaging.png").exists() == PLOT


@pytest.mark.skipif(not IMAGES, reason="Fashion-MNIST (Debian's package dataset-fashion-mnist) is not on this machine")
def test_ensembles(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = example("ensembles")
    models = made["models"](0, epochs=4, cycle=2)
    found = made["errors"](*models)
    for name in ("models", "snapshots"):
        assert found[f"error, ensemble of {name}"] < found[f"error, mean of {name}"] < 0.25
        assert found[f"error, best of {name}"] <= found[f"error, last of {name}"]
    if PLOT:
        made["draw"](*models)
        assert Path("ensembles.png").exists()
