"""The examples about logistic regression, inputs, first weights, signals and batch norm."""

import importlib.util
import re
from pathlib import Path

import pytest

PLOT = importlib.util.find_spec("matplotlib") is not None


@pytest.mark.filterwarnings("ignore:the plain step runs instead:twingrad.CaptureWarning")  # without kernels
def test_logistic_regression(printed):
    out = printed("logistic_regression")
    costs = re.findall(r"costs (0.69315 [0-9. ]+);", out)
    assert len(costs) == 6
    assert len(set(costs)) == 2
    assert Path("logistic_regression.png").exists() == PLOT


def test_normalising(printed, number):
    out = printed("normalising")
    assert "as they are: condition number 2.54e+06" in out
    assert "normalised: condition number 1.14" in out
    slow, fast = (float(each) for each in re.findall(r"after 49 (\S+)", out))
    assert fast < 1e-10 < 0.1 < slow
    assert Path("normalising.png").exists() == PLOT


def test_large_weights(printed, number):
    out = printed("large_weights")
    assert "zeros: first cost by the formula 0.6931, from logits 0.6931" in out
    first, last = (number(rf"deviation 10: .*{what} ([0-9.]+)", out) for what in ("from logits", "60 epochs"))
    assert "deviation 10: first cost by the formula inf" in out
    assert first > 100
    assert number(r"He: .*60 epochs ([0-9.]+)", out) < 0.05 < last
    assert Path("large_weights.png").exists() == PLOT


def test_signals(printed):
    out = printed("signals")
    assert "1.5^10 in float64: 57.665\n1.5^152 in float64: 5.83272e+26" in out
    assert "0.5^10 in float64: 0.000976562\n0.5^152 in float64: 1.75162e-46\n0.5^152 in float32: 0\n" in out
    none = "activations none, gradients none"
    assert f"explode: activations 6 7 8, gradients 0 1 2\n  layers of ten that vanish: {none}" in out
    assert f"explode: {none}\n  layers of ten that vanish: activations 4 5 6 7 8, gradients 0 1 2 3 4\n" in out
    assert re.search(r"He: activations times (0.9|1.0)\d+ from layer to layer; 0 layers vanish, 0 explode", out)
    assert Path("signals.png").exists() == PLOT


def test_batch_norm(printed, number):
    out = printed("batch_norm")
    without, with_it = (number(rf"{name}: drift ([0-9.]+)", out) for name in ("without batch norm", "with it"))
    assert with_it < without / 3
    noise = [float(each) for each in re.findall(r"times sqrt\(B\) ([0-9.]+)", out)]
    assert all(0.9 < each < 1.3 for each in noise)
    assert Path("batch_norm.png").exists() == PLOT


def test_batch_norm_statistics(printed):
    out = printed("batch_norm_statistics", seeds=range(2))
    assert "update 16: of where the running averages began 0.9^16 = 0.19 is left" in out
    pairs = [tuple(map(float, each)) for each in re.findall(r"dev cost ([0-9.]+), ([0-9.]+):", out)]
    assert len(pairs) == 18
    for running, recomputed in pairs[6:10]:  # updates 8 and 16, of the weights and of their averages
        assert recomputed < 0.85 * running
    for running, recomputed in pairs[16:]:  # at last
        assert abs(recomputed - running) < 0.1 * running
    assert Path("batch_norm_statistics.png").exists() == PLOT


def test_gradient_checking(printed):
    out = printed("gradient_checking")
    right, wrong = out.split("the wrong gradient")
    assert "gradient check: great" in right
    assert re.findall(r"^  (\w+) .*WRONG: (\d) times", wrong, re.MULTILINE) == [("b1", "4"), ("W2", "2")]
    assert "epsilon 1e-02: two-sided 1.7e-05, one-sided 5.0e-03" in out
    assert re.search(r"epsilon 1e-07: .*float32 8\.8e-02", out)
    assert Path("gradient_checking.png").exists() == PLOT


def test_softmax(printed, number):
    out = printed("softmax")
    assert "a [0.842 0.042 0.002 0.114]" in out
    assert "hardmax [1. 0. 0. 0.]" in out
    assert "class 1 as one of 4: [0. 1. 0. 0.]" in out
    assert "-log a_1 = 3.1719, with slope a - y: [ 0.842 -0.958  0.002  0.114]" in out
    apart = re.search(r"differ by at most (\S+), probabilities by (\S+);", out).groups()
    assert max(map(float, apart)) < 1e-12
    assert number(r"cost at last ([0-9.]+)", out) < 0.01
    assert Path("softmax.png").exists() == PLOT


def test_initialisation(printed):
    tanh, relu = printed("initialisation").split("ReLU, 20 layers")
    row = r"  (.*): activations times (\S+), .*; (\d+) layers vanish, (\d+) explode; (\d+)% of"
    by_tanh, by_relu = ({name: tuple(map(float, each)) for name, *each in re.findall(row, p)} for p in (tanh, relu))
    for found, good in ((by_tanh, ("1/n_in", "2/(n_in + n_out)")), (by_relu, ("He, 2/n_in",))):
        assert all(0.9 < found[name][0] < 1.1 and found[name][1:3] == (0, 0) for name in good)
        assert found["N(0, 0.01^2)"][0] == pytest.approx(0.1, rel=0.35)
        assert found["N(0, 0.01^2)"][1] == 20
    assert by_relu["1/n_in"][0] == pytest.approx(0.5**0.5, rel=0.05)
    assert by_tanh["N(0, 2^2)"][3] > 50 > by_tanh["1/n_in"][3]
    assert by_relu["N(0, 2^2)"][2] >= 15
    assert Path("initialisation.png").exists() == PLOT
