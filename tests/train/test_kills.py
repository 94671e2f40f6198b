"""Runs killed with SIGKILL at random moments and resumed: every file is that of the uninterrupted run, to the byte.

`pytest -m slow tests/train/test_kills.py` kills thirty; with TWINGRAD_KILLS=FILE.json it writes down what happened.
"""

import json
import os
from pathlib import Path

import pytest

from killing import files, finish, killed_and_resumed

QUICK = ("--epochs", "6", "--hidden", "64", "--checkpoint-every", "3", "--optimizer", "adam")
LONG = ("--epochs", "40", "--hidden", "256,128", "--checkpoint-every", "5", "--early-stopping", "30")
SEEDS = range(30)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Uninterrupted runs by options: their files and seconds."""
    known = {}

    def run(options):
        if options not in known:
            folder = tmp_path_factory.mktemp("whole") / "run"
            seconds = finish(folder, options)
            known[options] = files(folder), seconds
        return known[options]

    return run


@pytest.mark.parametrize("seed", range(4))
def test_a_killed_and_resumed_run_leaves_the_same_files(whole, tmp_path, seed):
    expected, seconds = whole(QUICK)
    told = killed_and_resumed(tmp_path / "run", QUICK, 0.6 * seconds, seed, writing=seed % 2 == 1)
    assert files(tmp_path / "run") == expected, told


@pytest.mark.slow
def test_thirty_killed_and_resumed_runs_leave_the_same_files(whole, tmp_path):
    expected, seconds = whole(LONG)
    told = []
    for seed in SEEDS:
        folder = tmp_path / f"run{seed}"
        happened = killed_and_resumed(folder, LONG, 0.9 * seconds, seed, writing=seed % 3 == 0)
        found = files(folder)
        different = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
        told.append(happened | {"different_files": different})
    summary = {
        "runs": len(told),
        "killed_while_writing_a_file": sum(bool(one["while_writing"]) for one in told),
        "killed_before_the_first_checkpoint": sum(not one["checkpoint_left"] for one in told),
        "files_compared_in_each": sorted(expected),
        "runs_with_a_different_file": sum(bool(one["different_files"]) for one in told),
        "seconds_of_the_uninterrupted_run": round(seconds, 2),
        "each": told,
    }
    print(json.dumps(summary, indent=1))
    if "TWINGRAD_KILLS" in os.environ:
        Path(os.environ["TWINGRAD_KILLS"]).write_text(json.dumps(summary, indent=1) + "\n")
    assert summary["runs_with_a_different_file"] == 0
    assert summary["killed_while_writing_a_file"] >= 5
