"""The examples about strategy: what to measure, and what to do next."""

import importlib.util
import re
from pathlib import Path

PLOT = importlib.util.find_spec("matplotlib") is not None


def test_label_noise(printed, number):
    out = printed("label_noise")
    random, systematic = (number(rf"{kind}, 8% wrong: test error ([0-9.]+)%", out) for kind in ("random", "systematic"))
    assert number(r"random, 0% wrong: test error ([0-9.]+)%", out) == number(r"systematic, 0% .* ([0-9.]+)%;", out)
    assert random < 7 < 10 < systematic
    assert number(r"cost .*? \[([0-9.]+)%, ", out) > 3
    assert Path("label_noise.png").exists() == PLOT


def test_threshold(printed, number):
    out = printed("threshold")
    found, alarms = (
        [float(each) for each in re.findall(rf"dev: .*{what} ([0-9.]+)%", out)] for what in ("found", "false alarms")
    )
    assert found[1] > found[0] > found[2] > found[3] > 0
    assert alarms[1] <= 5
    assert alarms[2] <= 1
    assert alarms[3] == 0
    assert number(r"at most 1% on dev.*\n.*\n  test: .*alarms ([0-9.]+)%", out) < 3
    assert Path("threshold.png").exists() == PLOT


def test_strategy(printed):
    out = printed("strategy")
    assert "dev           6%  -4%  dev is easier than train-dev" in out
    assert "scans as they are; first to work on: data mismatch" in out
    before, after = (float(gap) for gap in re.findall(r"dev .*\+([0-9.]+)%  data mismatch", out)[1:])
    assert after < 0.6 * before
    assert Path("strategy.png").exists() == PLOT


def test_error_analysis(printed, number):
    out = printed("error_analysis")
    error, left, ceiling = (
        number(pattern, out) for pattern in (r"of an error of ([0-9.]+)%", r"error ([0-9.]+)%;", r"said ([0-9.]+)%")
    )
    assert re.search(r"^turned +7\d", out, re.MULTILINE)
    assert ceiling < left < 0.8 * error
    assert Path("error_analysis.png").exists() == PLOT


def test_metrics(printed, number):
    out = printed("metrics")
    assert "precision and recall 95%, 90%: F1 0.9243; 98%, 85%: F1 0.9104" in out
    assert "A 6%, B 6.5%, C 3.5%, D 5.5%, E 3.75%, F 9.5%\nthe best: C\nmost accurate: C; within 100 ms: B" in out
    assert "A is wrong on 3.0%; with ten pictures weighing ten 11.0%" in out
    assert "B is wrong on 5.0%; with ten pictures weighing ten 4.6%" in out
    plain, balanced = (number(rf"{name}: .*ten times ([0-9.]+)%", out) for name in ("plain", "balanced"))
    assert balanced < plain
    assert Path("metrics.png").exists() == PLOT


def test_learning_curves(printed):
    out = printed("learning_curves", repeats=2)
    straight, large = out.split("128 hidden units")
    tables = [re.findall(r"^ +(\d+) +([0-9.]+)% +([0-9.]+)%", part, re.MULTILINE) for part in (straight, large)]
    (train, dev), (known, above) = ([[float(row[i]) for row in rows] for i in (1, 2)] for rows in tables)
    assert "first to work on: avoidable bias" in straight
    assert "first to work on: variance" in large
    assert train[0] < train[-1] < dev[-1] < dev[0] / 1.5
    assert known == [0.0] * 6
    assert above == sorted(above, reverse=True)
    assert above[-1] < dev[-1] / 2
    assert Path("learning_curves.png").exists() == PLOT
