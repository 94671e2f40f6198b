"""The examples about tuning, and what their claims measure, with less of it."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

PLOT = importlib.util.find_spec("matplotlib") is not None
OPTUNA = importlib.util.find_spec("optuna") is not None
needs_optuna = pytest.mark.skipif(not OPTUNA, reason="Optuna (extra `tune`) is not installed")
EXAMPLES = Path(__file__).parents[2] / "examples"


@needs_optuna
def test_search_strategies(measure):
    found = measure("search_strategies")(0, trials=9)
    assert list(found) == [f"log loss, {name}" for name in ("grid", "random", "coarse-to-fine")]
    assert found == measure("search_strategies")(0, trials=9)
    assert all(-3 < value < 2.3 for value in found.values())


@needs_optuna
def test_tuning(tmp_path, number):
    """In a process of its own, since other processes load its objective by name."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "tuning.py")],
        cwd=tmp_path,
        env=os.environ | {"TWINGRAD_DEVICE": "cpu"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert number(r"trial \d+: ([0-9.]+)", done.stdout) > 0.94
    assert number(r"(\d+) complete", done.stdout) + number(r"(\d+) pruned", done.stdout) <= 20
    assert (tmp_path / "tuning_slices.png").exists() == PLOT


@pytest.mark.parametrize("name", ["tuning", "search_strategies"])
def test_an_example_without_optuna_says_what_to_install(printed, monkeypatch, name):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(SystemExit, match=r"needs Optuna: pip install '\.\[tune\]'"):
        printed(name)


def test_babysitting(printed, number):
    out = printed("babysitting")
    first, last = number(r"lr 0.05: .*loss ([0-9.]+)", out), number(r"64 instead: loss ([0-9.]+)", out)
    assert last < first / 2
    assert "back: 15 epochs" in out
    assert Path("babysitting.png").exists() == PLOT
