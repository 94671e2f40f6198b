"""Scales: the course's shares, SciPy's quantiles, inverses, and what they refuse."""

import math
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twingrad import random
from twingrad.tune import Choice, Integers, LogUniform, OneMinusLogUniform, Uniform, default_space, search

U = random.uniform((20_000,), seed=1, stream=2)


def share(scale, holds):
    return np.mean([holds(scale.at(u)) for u in U])


def test_the_course_s_learning_rates():
    """[0.0001, 1]: evenly, nine tenths lie above 0.1; in the logarithm, a quarter in each decade."""
    assert share(Uniform(1e-4, 1), lambda lr: lr > 0.1) == pytest.approx(0.900, abs=0.01)
    for low in (1e-4, 1e-3, 1e-2, 1e-1):
        found = share(LogUniform(1e-4, 1), lambda lr, low=low: low <= lr < 10 * low)
        assert found == pytest.approx(0.25, abs=0.01)


def test_the_course_s_beta():
    """[0.9, 0.999]: evenly, ten elevenths lie below 0.99; in the logarithm of 1 - beta, half."""
    assert share(Uniform(0.9, 0.999), lambda beta: beta < 0.99) == pytest.approx(0.909, abs=0.01)
    assert share(OneMinusLogUniform(0.9, 0.999), lambda beta: beta < 0.99) == pytest.approx(0.5, abs=0.01)


@pytest.mark.oracle
def test_scipys_quantiles():
    stats = pytest.importorskip("scipy.stats", reason="SciPy (extra `oracle`) is not installed")
    q = np.linspace(0, 1, 101)
    assert [LogUniform(1e-4, 1).at(u) for u in q] == pytest.approx(stats.loguniform(1e-4, 1).ppf(q), rel=1e-12)
    assert [Uniform(-2, 3).at(u) for u in q] == pytest.approx(stats.uniform(-2, 5).ppf(q), abs=1e-12)
    beta = 1 - stats.loguniform(0.001, 0.1).ppf(1 - q)
    assert [OneMinusLogUniform(0.9, 0.999).at(u) for u in q] == pytest.approx(beta, rel=1e-12)


def test_integers_are_uniform():
    found = np.bincount([Integers(3, 7).at(u) for u in U])[3:]
    assert found / len(U) == pytest.approx([0.2] * 5, abs=0.01)
    small, large = (share(Integers(1, 100, log=True), lambda n, a=a: a <= n < 3 * a) for a in (3, 30))
    assert small == pytest.approx(large, abs=0.05)


SCALES = [
    Uniform(-1, 2),
    LogUniform(1e-4, 1),
    OneMinusLogUniform(0.9, 0.999),
    Integers(-3, 9),
    Integers(1, 300, log=True),
    Choice("a", 2, None, True),
]


needs_optuna = pytest.mark.skipif(find_spec("optuna") is None, reason="Optuna (extra `tune`) is not installed")


@needs_optuna
@pytest.mark.parametrize("scale", SCALES, ids=repr)
@given(st.floats(0, 1, exclude_max=True))
def test_place_is_the_inverse_and_optuna_takes_every_value(scale, u):
    value = scale.at(u)
    assert scale.at(min(max(scale.place(value), 0), 1 - 1e-12)) == (
        pytest.approx(value, rel=1e-9) if isinstance(value, float) else value
    )
    distribution = scale.distribution()
    assert distribution._contains(distribution.to_internal_repr(scale.inner(value)))
    outer = scale.outer(scale.inner(value))
    assert outer == (pytest.approx(value, rel=1e-12) if isinstance(value, float) else value)


def test_grids():
    assert Uniform(0, 1).grid(3) == [0, 0.5, 1]
    assert Uniform(0, 1).grid(1) == [0.5]
    assert OneMinusLogUniform(0.9, 0.999).grid(3) == pytest.approx([0.9, 0.99, 0.999])
    assert Integers(1, 3).grid(10) == [1, 2, 3]
    assert Choice("x", "y").grid(7) == ["x", "y"]


@needs_optuna
def test_grid_against_random_in_25_trials():
    """5 different values of each of two hyperparameters, or 25."""
    space = {"alpha": LogUniform(1e-4, 1), "eps": LogUniform(1e-9, 1e-7)}
    distinct = {}
    for strategy in ("grid", "random"):
        found = search(lambda values, report: values["alpha"], space, trials=25, strategy=strategy)
        distinct[strategy] = [len({trial.values[name] for trial in found}) for name in space]
    assert distinct == {"grid": [5, 5], "random": [25, 25]}


BAD = [
    (lambda: LogUniform(0, 1), ValueError, "LogUniform needs 0 < low < high, for the logarithm of 0 .*; got low=0 and"),
    (lambda: LogUniform(1e-3, math.inf), ValueError, "got low=0.001 and high=inf"),
    (lambda: LogUniform(-1, 1), ValueError, "got low=-1 and high=1"),
    (lambda: LogUniform(1, 1), ValueError, "got low=1 and high=1"),
    (lambda: LogUniform("a", 1), TypeError, "low of LogUniform must be a number, got 'a'"),
    (lambda: OneMinusLogUniform(0.9, 1), ValueError, "0 <= low < high < 1, for the logarithm of 1 - beta .* high=1"),
    (lambda: OneMinusLogUniform(-0.1, 0.9), ValueError, "got low=-0.1 and high=0.9"),
    (lambda: Uniform(1, 0), ValueError, "Uniform needs low < high; got low=1 and high=0"),
    (lambda: Uniform(0, float("inf")), ValueError, "Uniform needs finite low < high; got low=0 and high=inf"),
    (lambda: LogUniform(1, 0.1), ValueError, "^LogUniform needs low < high; got low=1 and high=0.1$"),
    (lambda: Uniform(math.nan, 1), ValueError, "got low=nan and high=1"),
    (lambda: Integers(5, 5), ValueError, "Integers needs low < high; got low=5 and high=5"),
    (lambda: Integers(0, 5, log=True), ValueError, "low of at least 1 on a log scale, .*; got low=0 and high=5"),
    (lambda: Integers(0.5, 5), TypeError, "low of Integers must be an int; got 0.5"),
    (lambda: Choice(), ValueError, "Choice needs at least one value, and each once; got none"),
    (lambda: Choice([64], [32]), TypeError, r"Choice takes texts, numbers, booleans or None; got \[64\]"),
    (lambda: Choice("a", "a"), ValueError, "each once; got 'a', 'a'"),
    (lambda: Choice((64, 32)), TypeError, r"Choice takes texts, numbers, booleans or None; got \(64, 32\)"),
    (lambda: default_space("adma"), ValueError, "unknown optimizer 'adma'; did you mean 'adam'?"),
    (lambda: default_space(first=0), ValueError, "first must be from 1 to the 9 of adam; got 0"),
]


@pytest.mark.parametrize(("make", "kind", "message"), BAD)
def test_bad_scales(make, kind, message):
    with pytest.raises(kind, match=message):
        make()


def test_the_default_space_is_in_the_course_s_order():
    assert list(default_space("rmsprop")) == [
        "lr",
        "batch_size",
        "units",
        "momentum",
        "layers",
        "decay",
        "weight_decay",
        "activation",
    ]
    assert list(default_space("adam", first=7)) == ["lr", "batch_size", "units", "layers", "decay", "beta1", "beta2"]
