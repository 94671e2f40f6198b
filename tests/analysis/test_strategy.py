"""The course's numbers of strategy: gaps, groups, constraints, weights, error analysis, learning curves."""

from __future__ import annotations

import numpy as np
import pytest

import twingrad as tg
from twingrad import nn
from twingrad.analysis import (
    MISLABELLED,
    GroupErrors,
    best_system,
    diagnose,
    error_analysis,
    error_by_group,
    learning_curve,
    weighted_error,
)
from twingrad.analysis.gaps import REMEDIES

from libraries import Library

TWO = {
    (0, 1, 11): (1, 10, ("variance",)),
    (0, 15, 16): (15, 1, ("avoidable bias",)),
    (0, 15, 30): (15, 15, ("avoidable bias", "variance")),
    (0, 0.5, 1): (0.5, 0.5, ()),
    (15, 15, 16): (0, 1, ()),
    (0, 5, 16): (5, 11, ("avoidable bias", "variance")),
}


@pytest.mark.parametrize("case", TWO, ids=str)
def test_bias_and_variance(case):
    """Human level, train and dev error in percent."""
    bias, variance, named = TWO[case]
    human, train, dev = (each / 100 for each in case)
    found = diagnose(human=human, train=train, dev=dev)
    assert (found.avoidable_bias, found.variance) == pytest.approx((bias / 100, variance / 100))
    assert found.named == named
    assert (found.mismatch, found.overfitting_to_dev, found.off_target) == (None, None, None)
    assert list(found.remedies) == list(named)


def percents(human, train, train_dev, dev, test, **more):
    given = dict(human=human, train=train, train_dev=train_dev, dev=dev, test=test, **more)
    return diagnose(**{name: None if each is None else each / 100 for name, each in given.items()})


def test_mismatch():
    """4/7/10/12/12 and 4/7/10/6/6: dev that is easier is no mismatch."""
    found, easier = percents(4, 7, 10, 12, 12), percents(4, 7, 10, 6, 6)
    gaps = ("avoidable_bias", "variance", "mismatch", "overfitting_to_dev")
    assert [getattr(found, gap) for gap in gaps] == pytest.approx([0.03, 0.03, 0.02, 0])
    assert [getattr(easier, gap) for gap in gaps] == pytest.approx([0.03, 0.03, -0.04, 0])
    assert found.named == ("avoidable bias", "variance", "data mismatch")
    assert easier.named == ("avoidable bias", "variance")
    assert "dev           6%  -4%  dev is easier than train-dev" in str(easier).splitlines()
    assert "mismatch" not in str(easier)
    assert "test is slightly easier than dev" in str(percents(4, 7, 10, 12, 11.5))
    assert found.focus == "avoidable bias"


def test_a_gap_of_nine_is_variance_or_mismatch_by_train_dev():
    """Train 1, dev 10: train-dev 9 is variance, 1.5 is mismatch, and without it nobody knows."""
    variance, mismatch = percents(0, 1, 9, 10, None), percents(0, 1, 1.5, 10, None)
    assert variance.named == ("variance",)
    assert mismatch.named == ("data mismatch",)
    assert mismatch.mismatch == pytest.approx(0.085)
    unknown = diagnose(human=0.0, train=0.01, dev=0.10, same_distribution=False)
    assert unknown.named == ("variance or data mismatch",)
    assert unknown.remedies["variance or data mismatch"][0].startswith("carve a train-dev set out")
    assert (unknown.variance, unknown.mismatch) == (None, None)


def test_several_human_levels_the_least_is_the_proxy():
    """The course's radiologists: the bias is 4 points above the team, not 2 above a typical doctor."""
    levels = {"typical person": 0.03, "typical doctor": 0.01, "experienced doctor": 0.007, "team": 0.005}
    found = diagnose(human=levels, train=0.045, dev=0.05)
    assert found.bayes == "team"
    assert found.avoidable_bias == pytest.approx(0.04)
    assert "human level (team)" in str(found)


def test_the_links_after_dev():
    found = percents(1, 1, 1, 1, 5, real_world=12)
    assert (found.overfitting_to_dev, found.off_target) == pytest.approx((0.04, 0.07))
    assert found.named == ("overfitting to dev", "off target")
    assert found.focus == "off target"
    assert found.remedies["overfitting to dev"] == ("get a bigger dev set",)
    assert "  1. change the dev and test set, or the metric" in str(found)


def test_errors_below_the_proxy_are_told():
    found = diagnose(human=0.15, train=0.005, dev=0.01)
    assert found.avoidable_bias == pytest.approx(-0.145)
    assert found.named == ()
    assert "below human level, which cannot be Bayes error" in str(found)
    assert found.focus is None


def test_remedies_are_in_the_order_of_the_course():
    found = diagnose(human=0.0, train=0.1, train_dev=0.2, dev=0.3, test=0.4, real_world=0.5)
    assert list(found.remedies) == list(REMEDIES)[:5]
    lines = str(found).splitlines()
    assert lines[lines.index("against avoidable bias:") + 1] == "  1. train a bigger network"
    assert lines[lines.index("against variance:") + 1].startswith("  1. get more training data")


def test_groups_of_the_course():
    """Six systems in four countries: C has the least mean error, A the least worst one."""
    names = ("US", "China", "India", "other")
    table = {
        "A": (3, 7, 5, 9),
        "B": (5, 6, 5, 10),
        "C": (2, 3, 4, 5),
        "D": (5, 8, 7, 2),
        "E": (4, 5, 2, 4),
        "F": (7, 11, 8, 12),
    }
    means = {s: GroupErrors(dict(zip(names, row, strict=True))).mean for s, row in table.items()}
    assert means == {"A": 6.0, "B": 6.5, "C": 3.5, "D": 5.5, "E": 3.75, "F": 9.5}
    assert best_system({s: {"mean": mean} for s, mean in means.items()}, minimise="mean") == "C"
    assert GroupErrors(dict(zip(names, table["D"], strict=True))).worst == "China"


def test_errors_by_group(library: Library):
    wrong = library.asarray(np.asarray([True, False, False, True, True, False]))
    found = error_by_group(wrong, ["b", "b", "a", "a", "a", "c"])
    assert found.errors == {"a": 2 / 3, "b": 0.5, "c": 0.0}
    assert found.counts == {"a": 3, "b": 2, "c": 1}
    assert found.worst == "a"
    assert found.mean == pytest.approx(7 / 18)
    assert str(found).splitlines()[-1] == "mean over groups: 38.89%; worst: a, 66.67%"
    losses = error_by_group([1.0, 3.0], np.asarray([7, 7]))
    assert losses.errors == {"7": 2.0}


SYSTEMS = {"A": {"accuracy": 90, "ms": 80}, "B": {"accuracy": 92, "ms": 95}, "C": {"accuracy": 95, "ms": 1500}}


def test_optimising_under_a_satisficing_metric():
    """B, in any units; accuracy less half the time says A in percent and ms, B in shares and seconds."""
    assert best_system(SYSTEMS, maximise="accuracy", at_most={"ms": 100}) == "B"
    assert best_system(SYSTEMS, maximise="accuracy") == "C"
    assert best_system(SYSTEMS, minimise="ms", at_least={"accuracy": 91}) == "B"
    other = {s: {"accuracy": each["accuracy"] / 100, "s": each["ms"] / 1000} for s, each in SYSTEMS.items()}
    assert best_system(other, maximise="accuracy", at_most={"s": 0.1}) == "B"
    linear = {s: {"cost": each["accuracy"] - 0.5 * each["ms"]} for s, each in SYSTEMS.items()}
    assert [each["cost"] for each in linear.values()] == [50, 44.5, -655]
    assert best_system(linear, maximise="cost") == "A"
    linear = {s: {"cost": each["accuracy"] - 0.5 * each["s"]} for s, each in other.items()}
    assert [each["cost"] for each in linear.values()] == pytest.approx([0.86, 0.8725, 0.2])
    assert best_system(linear, maximise="cost") == "B"


def test_the_weighted_error_of_the_course():
    """1000 images, 10 of which weigh 10: A is wrong on those and 20 more, B on 50 others."""
    n = np.arange(1000)
    weight = np.where(n < 10, 10.0, 1.0)
    a, b = n < 30, (n >= 10) & (n < 60)
    assert (a.mean(), b.mean()) == (0.03, 0.05)
    assert weighted_error(a, weight) == pytest.approx(120 / 1090) == pytest.approx(0.110092, abs=5e-7)
    assert weighted_error(b, weight) == pytest.approx(50 / 1090) == pytest.approx(0.045872, abs=5e-7)


def test_ceilings_of_the_course():
    assert error_analysis(range(100), {"dog": range(5)}, error=0.10).ceilings == {"dog": pytest.approx(0.095)}
    assert error_analysis(range(100), {"dog": range(50)}, error=0.10).ceilings == {"dog": pytest.approx(0.05)}
    tags = {"dogs": range(8), "great cats": range(43), "blurry": range(30, 91), "filters": range(12)}
    found = error_analysis(range(100), tags, error=0.10)
    assert found.ceilings == pytest.approx({"dogs": 0.092, "great cats": 0.057, "blurry": 0.039, "filters": 0.088})
    assert [tag.name for tag in found.tags] == ["blurry", "great cats", "filters", "dogs"]
    assert sum(tag.share.rate for tag in found.tags) == pytest.approx(1.24)
    assert str(found).splitlines()[1].split()[:3] == ["blurry", "61", "61%"]


def test_wrong_labels_of_the_course():
    """6% of an error of 10%: 0.6 and 9.4; 0.6 of an error of 2%: 0.6 and 1.4, 30% of it."""
    found = error_analysis(range(100), {MISLABELLED: range(6)}, error=0.10)
    assert (found.from_labels, found.from_other_causes) == pytest.approx((0.006, 0.094))
    found = error_analysis(range(100), {MISLABELLED: range(30)}, error=0.02)
    assert (found.from_labels, found.from_other_causes) == pytest.approx((0.006, 0.014))
    assert str(found).splitlines()[-1] == "wrong labels make 0.6%, other causes 1.4%"
    assert error_analysis("ab", {}, error=0.1).from_labels == 0.0


def test_a_learning_curve_is_that_of_models_trained_on_parts():
    data = tg.data.load("digits").split(seed=0)
    made = []

    def make(seed):
        made.append(nn.Sequential(nn.Linear(64, 10), seed=seed))
        return made[-1]

    options = {"epochs": 5, "keep": "last", "device": "cpu", "optimizer": "adam", "preprocessing": "auto"}
    curve = learning_curve(make, data, sizes=[40, 200, 1.0], repeats=2, seed=3, **options)
    assert curve.sizes.tolist() == [40, 200, 1078]
    assert curve.train.shape == curve.dev.shape == (2, 3)
    assert [model.seed for model in made] == [3, 3, 3, 4, 4, 4]
    whole = nn.Sequential(nn.Linear(64, 10), seed=4)
    tg.fit(whole, data.train, dev=data.dev, seed=4, **options)
    assert curve.dev[1, 2] == 1 - tg.train.evaluate(whole, data.dev).accuracy
    assert curve.train[1, 2] == 1 - tg.train.evaluate(whole, data.train).accuracy
    assert curve.dev.mean(axis=0)[0] > curve.dev.mean(axis=0)[2]
    assert str(curve).splitlines()[0].split() == ["examples", "train", "error", "dev", "error", "gap"]


def test_each_model_of_a_learning_curve_gets_a_copy_of_the_optimizer():
    optimizer, options = tg.optim.SGD(lr=0.5, momentum=0.9), {"keep": "last", "device": "cpu"}
    found = curve(sizes=[100, 1.0], optimizer=optimizer, **options)
    assert optimizer.steps_taken == 0
    alone, parts = nn.Sequential(nn.Linear(64, 10), seed=0), DIGITS.split(seed=0)
    tg.fit(alone, parts.train, dev=parts.dev, epochs=1, optimizer=optimizer, seed=0, **options)
    assert found.dev[0, 1] == 1 - tg.train.evaluate(alone, parts.dev).accuracy
    with pytest.raises(ValueError, match="this SGD has a model already"):
        curve(optimizer=optimizer)


def test_smaller_parts_lie_within_larger_ones(monkeypatch):
    data, parts = tg.data.load("digits").split(seed=0), []
    monkeypatch.setattr("twingrad.analysis.learning.fit", lambda model, part, **options: parts.append(part))
    learning_curve(lambda seed: nn.Sequential(nn.Linear(64, 10), seed=seed), data, sizes=[50, 100, 400])
    rows = [{row.tobytes() for row in part.x} for part in parts]
    assert rows[0] < rows[1] < rows[2]
    counts = [np.bincount(part.y, minlength=10) / len(part) for part in parts]
    whole = np.bincount(data.train.y) / len(data.train)
    for part, shares in zip(parts, counts, strict=True):
        assert np.abs(shares - whole).max() <= 1 / len(part)


def test_a_learning_curve_of_a_regression():
    x = np.random.default_rng(0).normal(size=(80, 3))
    data = tg.data.Dataset(x, x @ [1.0, -2.0, 0.5]).split(seed=0)
    curve = learning_curve(lambda seed: nn.Sequential(nn.Linear(3, 1), seed=seed), data, epochs=2, device="cpu")
    assert curve.measure == "rmse"
    assert "train rmse" in str(curve)


DIGITS = tg.data.load("digits")


def curve(**options):
    parts = DIGITS.split(*options.pop("shares", (0.6, 0.2)), seed=0)
    return learning_curve(lambda seed: nn.Sequential(nn.Linear(64, 10), seed=seed), parts, epochs=1, **options)


BAD = {
    "percent": (lambda: diagnose(human=0.0, train=4, dev=0.1), r"lies in \[0, 1\], 0.04 for 4%; train is 4"),
    "human percent": (lambda: diagnose(human={"x": 15}, train=0.1, dev=0.1), "human level x is 15"),
    "no human": (lambda: diagnose(human={}, train=0.1, dev=0.1), "human needs one level or more"),
    "no groups": (lambda: GroupErrors({}), "there are no groups"),
    "groups": (lambda: error_by_group([True], ["a", "b"]), r"got \(1,\), \(2,\)"),
    "no weight": (lambda: weighted_error([True], [0.0]), "not all 0; got 1 of 0"),
    "negative weight": (lambda: weighted_error([True, True], [1.0, -1.0]), "at least 0, not all 0; got -1"),
    "no flag": (lambda: weighted_error([2, 0], [1.0, 1.0]), "wrong must hold booleans, or 0 and 1; got 2"),
    "a group's NaN": (lambda: error_by_group([0.0, np.nan], ["a", "b"]), "example 1 of group b has nan"),
    "a metric's NaN": (
        lambda: best_system({"A": {"ms": float("nan")}}, minimise="ms"),
        "ms of A is NaN, which nothing compares with",
    ),
    "no metric": (lambda: best_system(SYSTEMS), "give maximise or minimise"),
    "both": (lambda: best_system(SYSTEMS, maximise="ms", minimise="ms"), "give maximise or minimise"),
    "unknown metric": (lambda: best_system(SYSTEMS, maximise="acuracy"), "did you mean 'accuracy'"),
    "unknown limit": (lambda: best_system(SYSTEMS, maximise="accuracy", at_most={"m": 1}), "unknown metric 'm'"),
    "none is good": (
        lambda: best_system(SYSTEMS, maximise="accuracy", at_most={"ms": 10}),
        "none of A, B, C meets ms <= 10",
    ),
    "a tag without examples": (
        lambda: error_analysis(range(100), {"dog": [3], "cat": []}, error=0.1),
        "tag 'cat' matches none of the 100 mistakes",
    ),
    "a tag of others": (lambda: error_analysis([1, 2], {"dog": [1, 3]}, error=0.1), "names 3, which is none of the"),
    "a tag of others alone": (
        lambda: error_analysis([1, 2], {"dog": [3]}, error=0.1),
        "matches none of the 2 mistakes",
    ),
    "no mistakes": (lambda: error_analysis([], {"dog": [1]}, error=0.1), "there are no mistakes"),
    "twice": (lambda: error_analysis([1, 1], {}, error=0.1), "1 is among the mistakes twice"),
    "no error": (lambda: error_analysis([1], {}, error=10), "0.1 for 10%; got 10"),
    "no dev": (lambda: curve(shares=(0.8, 0)), "a dev part is needed"),
    "falling sizes": (lambda: curve(sizes=[0.5, 0.1]), "sizes must grow"),
    "one for all": (lambda: curve(sizes=[0.5, 1]), r"1.0 is all and 1 is one\); got \[0.5, 1\]"),
    "too large": (lambda: curve(sizes=[2000]), "a count of 1 to 1078 examples; got 2000"),
    "a share above 1": (lambda: curve(sizes=[1.5]), r"a share in \(0.0, 1.0\].* got 1.5"),
    "one class": (lambda: curve(sizes=[1]), "1 training examples hold one class alone"),
}


@pytest.mark.parametrize("mistakes", [[5, 6], range(2)])
def test_a_tag_is_no_mask(mistakes):
    with pytest.raises(TypeError, match=r"tag 'dog' is a mask of booleans; name the mistakes that have it, such as"):
        error_analysis(mistakes, {"dog": np.asarray([True, False])}, error=0.1)


def test_a_learning_curve_takes_a_function_and_parts():
    model = nn.Sequential(nn.Linear(64, 10))
    with pytest.raises(TypeError, match="make is a function of a seed that gives a new model; got Sequential"):
        learning_curve(model, DIGITS.split())
    with pytest.raises(TypeError, match=r"the parts that Dataset.split makes; got Dataset"):
        learning_curve(lambda seed: model, DIGITS)


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments(case):
    call, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        call()
