"""The examples about optimisation."""

import importlib.util
import re
from pathlib import Path

PLOT = importlib.util.find_spec("matplotlib") is not None


def test_saddle(printed, number):
    out = printed("saddle")
    assert "curvature from -2.000, along (x, y) = [0. 1.], to 2.000: a saddle" in out
    expected = {"descent": 698, r"momentum \(1-beta\)": 811, "momentum": 140, "Adam": 77}
    assert {name: number(rf"\n{name}: (\d+) steps", out) for name in expected} == expected
    assert Path("saddle.png").exists() == PLOT


def test_averages(printed, number):
    out = printed("averages")
    measured, window = number("measured: off by ([0-9.]+)", out), number("window of 10: off by ([0-9.]+)", out)
    corrected = number(r"beta 0.9: off by [0-9.]+, in the first ten days by ([0-9.]+)", out)
    assert window < measured / 2
    assert corrected < number("uncorrected: off by [0-9.]+, in the first ten days by ([0-9.]+)", out)
    assert Path("averages.png").exists() == PLOT


def test_mini_batches(printed, number):
    out = printed("mini_batches")
    losses = [number(rf"{name} .*?loss ([0-9.]+)", out) for name in ("stochastic", "mini-batch", r"batch \(1078")]
    assert losses == sorted(losses)
    first, then, anew = (number(rf"{name}.*?loss ([0-9.]+)", out) for name in ("first:", "same Adam:", "a new Adam"))
    assert then < first
    assert then != anew
    assert "after 350 steps" in out
    assert Path("mini_batches.png").exists() == PLOT


def test_learning_rate(printed, number):
    out = printed("learning_rate")
    for name in ("SGD", "momentum", "RMSprop", "Adam"):
        low, at = (number(rf"{name}: .*?([0-9.]+) at {factor} times", out) for factor in ("0.01", "1"))
        assert at < low / 4
    assert Path("learning_rate.png").exists() == PLOT


def test_learning_rate_decay(printed, number):
    out = printed("learning_rate_decay", seeds=range(2))
    early, last = (
        {name: number(rf"\n{name} throughout: .*{what}", out) for name in ("0.05", "0.002")}
        for what in (r"above by ([0-9.]+) after 2", r"epochs, ([0-9.]+) after 20")
    )
    assert early["0.05"] < 0.1 < 1 < early["0.002"]
    assert last["0.05"] > early["0.05"] / 4  # it does not come to rest
    assert last["0.002"] < early["0.002"] / 4  # it is on its way
    falling = [float(each) for each in re.findall(r"above by [0-9.]+ after 2 epochs, ([0-9.]+) after 20", out)[2:]]
    assert len(falling) == 7
    assert max(falling) < min(last.values()) / 4
    assert Path("learning_rate_decay.png").exists() == PLOT
