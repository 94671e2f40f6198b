"""Runs killed with SIGKILL and resumed: every file is that of the uninterrupted run, to the byte.

Here at chosen moments; `pytest -m slow tests/train/test_kills.py` kills thirty at random ones, and with
TWINGRAD_KILLS=FILE.json writes down what happened.
"""

import json
import os
from pathlib import Path

import pytest

from killing import drafts, files, finish, killed_and_resumed, killed_in_call

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


MOMENTS = {
    "before anything is there": ("fsync", 1, ["config.toml"]),
    "with a best model and no checkpoint of it": ("replace", 8, ["last.safetensors"]),
    "once a checkpoint is in its place": ("fsync", 12, []),
    "while a better model is written": ("replace", 14, ["best.safetensors"]),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_and_resumed_run_leaves_the_same_files(whole, tmp_path, moment):
    name, count, writing = MOMENTS[moment]
    killed_in_call(tmp_path / "run", QUICK, name, count)
    assert drafts(tmp_path / "run") == writing
    finish(tmp_path / "run", QUICK)
    assert files(tmp_path / "run") == whole(QUICK)[0]


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
