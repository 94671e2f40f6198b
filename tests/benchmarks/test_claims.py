"""Claims over seeds: intervals as SciPy's, verdicts that follow them, failures that are told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from twingrad.benchmarks import report
from twingrad.benchmarks.claims import (
    Claim,
    __main__,
    at_least,
    at_most,
    claim,
    example,
    interval,
    less,
    paired,
    rows,
    table,
)
from twingrad.benchmarks.claims.intervals import quantile
from twingrad.random import normal


@pytest.mark.oracle
@pytest.mark.parametrize("df", [1, 2, 4, 19, 99])
@pytest.mark.parametrize("p", [0.6, 0.95, 0.975, 0.995])
def test_quantiles_are_scipys(df, p):
    stats = pytest.importorskip("scipy.stats", reason="SciPy (extra `oracle`) is not installed")
    assert quantile(p, df) == pytest.approx(stats.t.ppf(p, df), rel=1e-6)


@pytest.mark.oracle
def test_intervals_are_scipys():
    stats = pytest.importorskip("scipy.stats", reason="SciPy (extra `oracle`) is not installed")
    values = normal((12,), seed=3, stream=0)
    wanted = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    found = interval(values)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), rel=1e-6)
    a, b = normal((12,), seed=4, stream=0), normal((12,), seed=5, stream=0)
    wanted = stats.ttest_rel(b, a).confidence_interval(0.95)
    assert (paired(a, b).low, paired(a, b).high) == pytest.approx((wanted.low, wanted.high), rel=1e-6)


def test_an_interval_covers_the_mean_in_19_of_20_cases():
    drawn = normal((2000, 5), seed=1, stream=0) + 7.0
    covered = sum(found.low < 7.0 < found.high for found in map(interval, drawn))
    assert 0.94 < covered / 2000 < 0.96


@pytest.mark.parametrize("values", [[], [1.0], [1.0, np.nan], [1.0, np.inf]])
def test_an_interval_needs_two_finite_numbers(values):
    with pytest.raises(ValueError, match="at least two finite numbers"):
        interval(values)


def test_pairs_have_two_numbers_for_each_seed():
    with pytest.raises(ValueError, match="got 3 and 2"):
        paired([1.0, 2.0, 3.0], [1.0, 2.0])


def test_the_side_of_an_interval():
    sides = [interval(values).side for values in ([1.0, 1.1], [-1.0, -1.1], [-1.0, 1.1])]
    assert sides == ["higher", "lower", "undecided"]


def noisy(seed):
    """a and b share what the seed does to both, which is far larger than their difference."""
    shared, own = normal((2,), seed=seed, stream=0)
    return {"a": 100 * shared, "b": 100 * shared + 1 + 0.1 * own, "c": 100 * shared + own}


def test_verdicts_follow_the_interval():
    states = [
        less("a", "b"),
        less("b", "a"),
        less("a", "c"),
        at_least("a", -1000),
        at_most("a", 1000),
        at_least("a", 0),
    ]
    found = Claim("", noisy, states).run()
    verdicts = [each["verdict"] for each in found["statements"]]
    assert verdicts == ["holds", "contradicted", "undecided", "holds", "holds", "undecided"]
    assert [each["seeds_that_agree"] for each in found["statements"]][:2] == [20, 0]
    assert found["seeds"] == list(range(20))
    assert found["measured"]["a"] == [noisy(seed)["a"] for seed in range(20)]


def test_a_seed_that_fails_is_told_and_nothing_is_said_to_hold():
    def measure(seed):
        if seed == 1:
            raise ArithmeticError("diverged")
        return {"a": 1.0 + seed}

    lines = []
    found = Claim("so it is", measure, [at_least("a", 0)]).run(range(4), tell=lines.append)
    assert found["failed"] == {"1": "ArithmeticError: diverged"}
    assert found["statements"][0]["verdict"] == "not shown: seeds failed"
    assert lines[:2] == ["seed 0: a 1", "seed 1: ArithmeticError: diverged"]
    assert "Failed: seed 1: ArithmeticError: diverged" in table.markdown(found)


@pytest.fixture
def only(monkeypatch):
    """One claim, under the name "noise"."""
    monkeypatch.setattr(__main__, "names", lambda: ["noise"])
    monkeypatch.setattr(__main__, "claim_of", lambda name: Claim("a is less than b", noisy, [less("a", "b")]))


def test_the_command_writes_a_file_and_the_pages_that_quote_it(only, tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("<!-- results/claims/noise.json -->\nold\n<!-- end -->\n")
    out = tmp_path / "results/claims"
    assert __main__.main(["noise", "--seeds", "5", "--out", str(out), "--update", str(page)]) == 0
    kept = json.loads((out / "noise.json").read_text())
    assert kept["seeds"] == [0, 1, 2, 3, 4]
    assert table.markdown(kept) in capsys.readouterr().out
    assert page.read_text() == f"<!-- results/claims/noise.json -->\n{report.markdown(kept)}<!-- end -->\n"
    assert "| a < b (difference) |" in page.read_text()


def test_the_command_refuses_what_it_does_not_know(capsys):
    for arguments, told in ((["nosuch"], "unknown claim 'nosuch'"), (["--seeds", "1"], "--seeds must be at least 2")):
        with pytest.raises(SystemExit) as left:
            __main__.main(arguments)
        assert left.value.code == 2
        assert told in capsys.readouterr().err


def test_without_a_name_all_are_listed(only, capsys):
    assert __main__.main([]) == 0
    assert capsys.readouterr().out == "noise\n"


def test_every_claim_is_stated_and_measured_with_at_least_20_seeds_or_says_so():
    assert set(__main__.names()) == {path.stem for path in Path(rows.__file__).parent.glob("[!_]*.py")}
    for name in __main__.names():
        claim = __main__.claim_of(name)
        assert claim.text.endswith(".")
        assert claim.states
        assert len(claim.seeds) >= 20 or "seeds" in claim.text


RESULTS = Path(__file__).parents[2] / "benchmarks/results/claims"


@pytest.mark.skipif(not RESULTS.exists(), reason="results are in a checkout alone")
def test_every_file_holds_its_claims_seeds_and_the_verdicts_of_its_numbers():
    for name in __main__.names():
        stated, kept = __main__.claim_of(name), json.loads((RESULTS / f"{name}.json").read_text())
        assert (kept["claim"], kept["seeds"], kept["failed"]) == (stated.text, list(stated.seeds), {}), name
        seeds = [dict(zip(kept["measured"], row, strict=True)) for row in zip(*kept["measured"].values(), strict=True)]
        for told, statement in zip(kept["statements"], stated.states, strict=True):
            assert told == pytest.approx(statement.judge(seeds)), name


def test_an_example_is_loaded_when_it_is_measured(monkeypatch, tmp_path):
    (tmp_path / "half.py").write_text('def measure(seed):\n    return {"half": seed / 2}\n')
    monkeypatch.setattr(claim, "EXAMPLES", tmp_path)
    monkeypatch.setattr(claim, "_loaded", {})
    assert Claim("", example("half"), [at_least("half", 0)]).run(range(1, 3))["measured"] == {"half": [0.5, 1.0]}
