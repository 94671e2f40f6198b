"""The examples about optimisation."""

import importlib.util
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
