"""`twingrad tune` killed, workers and parent alike, and resumed: the table is that of an uninterrupted search."""

import csv
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from processes import PATIENCE, running, wait_for

pytest.importorskip("optuna", reason="Optuna (extra `tune`) is not installed")
pytestmark = pytest.mark.skipif(not Path("/proc/self").exists(), reason="finds processes in /proc")

TUNE = (sys.executable, "-m", "twingrad", "tune")
OPTIONS = ("--trials", "9", "--strategy", "coarse-to-fine", "--no-prune", "--hidden", "16", "--epochs", "120")
OPTIONS += ("--device", "cpu", "--quiet")


def begun(folder, *options):
    """The command at work, for a `with` block."""
    return running([*TUNE, *options], stderr=subprocess.PIPE, cwd=folder.parent)


def finish(folder, *options):
    with begun(folder, *options) as process:
        told = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 0, told


def table(folder):
    """The rows of the trials, without their seconds."""
    with (folder / "trials.csv").open(newline="") as file:
        return [row[:-1] for row in csv.reader(file)]


def workers_of(process):
    """The processes that run trials for it."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            parent = next(line for line in status.read_text().splitlines() if line.startswith("PPid:"))
            if int(parent.split()[1]) == process.pid and b"spawn_main" in status.with_name("cmdline").read_bytes():
                found.append(int(status.parent.name))
        except (OSError, StopIteration):
            continue
    return found


def ended(folder):
    """How many trials the journal has the end of: op code 6 with a state that is complete."""
    journal = folder / "study.journal"
    return journal.read_text().count('"op_code":6') if journal.exists() else 0


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "study"
    finish(folder, *OPTIONS, "--out", str(folder))
    return table(folder)


@pytest.mark.parametrize("seconds", [0, 0.3], ids=["before it is replaced", "after it was replaced"])
def test_worker_and_parent_killed_and_resumed(whole, tmp_path, seconds):
    folder = tmp_path / "study"
    with begun(folder, *OPTIONS, "--workers", "2", "--out", str(folder)) as process:
        wait_for(lambda: len(workers_of(process)) == 2, process)
        doomed, held = workers_of(process)
        os.kill(held, signal.SIGSTOP)  # with a trial of its own: the search cannot end without it
        try:
            wait_for(lambda: ended(folder), process)
            os.kill(doomed, signal.SIGKILL)
            time.sleep(seconds)
            workers = workers_of(process)
            assert process.poll() is None
            process.kill()
        finally:
            os.kill(held, signal.SIGCONT)
        wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))  # no orphan goes on
    assert not (folder / "best.toml").exists()
    finish(folder, "--resume", str(folder), "--quiet")
    assert table(folder) == whole


@pytest.mark.parametrize(("number", "workers", "code"), [(signal.SIGINT, "1", 130), (signal.SIGTERM, "2", 143)])
def test_a_signal_says_how_to_go_on(whole, tmp_path, number, workers, code):
    folder = tmp_path / "study"
    with begun(folder, *OPTIONS, "--workers", workers, "--out", str(folder)) as process:
        wait_for(lambda: ended(folder), process)
        process.send_signal(number)
        told = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == code, told
    assert f"go on with it: --resume {folder}" in told
    assert (folder / "best.toml").exists()
    finish(folder, "--resume", str(folder), "--quiet")
    assert table(folder) == whole


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_killed_again_and_again_at_random_moments(whole, tmp_path, seed):
    folder, draw, kills = tmp_path / "study", random.Random(seed), 0
    while not (folder / "best.toml").exists():
        resume = (folder / "tune.toml").exists()
        options = ("--resume", str(folder), "--quiet") if resume else (*OPTIONS, "--out", str(folder))
        if folder.exists() and not resume:
            shutil.rmtree(folder)  # killed before anything was written
        with begun(folder, *options, "--workers", str(1 + kills % 2)) as process:
            try:
                told = process.communicate(timeout=draw.uniform(1.0, 4.0))[1]
                assert process.returncode == 0, told
            except subprocess.TimeoutExpired:
                kills += 1
    assert table(folder) == whole
