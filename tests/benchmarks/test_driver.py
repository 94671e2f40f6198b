"""The benchmark driver: agreement first, interleaved rounds, and what its report says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from twingrad.benchmarks import driver, machine, quoted, report
from twingrad.benchmarks.claims.__main__ import names as claims
from twingrad.benchmarks.contender import Worker
from twingrad.benchmarks.worker import Prepared, time_steps

WORKLOAD = """
import time
from twingrad.benchmarks import driver
from twingrad.benchmarks.machine import require
from twingrad.benchmarks.worker import Prepared

class Clock:
    seconds = 0.0
    def __call__(self):
        return self.seconds

def sleeper(seconds, told, case):
    print("a contender may print what it likes")
    clock = time.perf_counter = Clock()  # of the contender's process alone
    def step():
        clock.seconds += seconds * case["size"]
    return Prepared(step, lambda: [told], traffic=8)

def agree(case, checks):
    values = {seen[0] for seen in checks.values()}
    assert len(values) == 1, f"contenders differ: {values}"

WORKLOAD = driver.Workload(
    name="sleep", module="sleeping", base="quick", agree=agree, cases={"one": {"size": 1}, "two": {"size": 2}},
    contenders={
        "quick": lambda case: sleeper(0.001, 1.0, case),
        "slow": lambda case: sleeper(0.01, 1.0, case),
        "wrong": lambda case: sleeper(0.001, 2.0, case),
        "missing": lambda case: require("a_library_that_is_not_there"),
        "broken": lambda case: 1 / 0,
    },
)
"""
EFFORT = driver.Effort(rounds=3, seconds=0.02, quiet=1000)


def test_a_contender_whose_threads_spin_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, naps = iter([0.0, 0.03, 0.03, 0.05, 0.05, 0.05]), []
    monkeypatch.setattr(machine, "processor_seconds", lambda pid: next(seen))
    monkeypatch.setattr(driver.time, "sleep", naps.append)
    driver.rest(SimpleNamespace(process=SimpleNamespace(pid=1)))
    assert naps == 3 * [driver.REST]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="/proc tells no processor times here")
def test_processor_seconds_are_those_of_the_process() -> None:
    before = machine.processor_seconds(os.getpid())
    while time.process_time() < before + 0.05:
        pass
    assert before + 0.02 <= machine.processor_seconds(os.getpid()) <= time.process_time() + 0.02
    assert machine.processor_seconds(2**22 + 1) is None


@pytest.fixture
def sleeping(tmp_path, monkeypatch):
    """A workload in a module of its own, which the workers find too."""
    (tmp_path / "sleeping.py").write_text(WORKLOAD)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]).strip(":"))
    import sleeping

    yield sleeping.WORKLOAD
    del sys.modules["sleeping"]


def test_ratio_of_a_contender_that_takes_ten_times_as_long(sleeping):
    case = driver.run_case(sleeping, "one", ["quick", "slow", "missing"], EFFORT)
    quick, slow = case["contenders"]
    assert (quick["times_base"], slow["times_base"]) == (1, 10)
    assert slow["times_quartiles"] == [10, 10]
    assert (quick["median_ms"], slow["median_ms"]) == (1, 10)
    assert slow["rounds_ms"] == [10] * 3
    assert (slow["best_ms"], slow["quartiles_ms"]) == (10, [10, 10])
    assert case["absent"] == {
        "missing": "a_library_that_is_not_there is not installed: pip install 'twingrad[oracle]'",
    }


def test_disagreement_stops_before_any_timing(sleeping, monkeypatch):
    monkeypatch.setattr(driver, "rounds_of", lambda *args: pytest.fail("timed before the results agreed"))
    with pytest.raises(AssertionError, match="contenders differ"):
        driver.run_case(sleeping, "one", ["quick", "wrong"], EFFORT)


def test_a_contender_that_fails_is_no_absent_one(sleeping, capfd):
    with pytest.raises(RuntimeError, match="contender 'broken' ended with status 1"):
        driver.run_case(sleeping, "one", ["broken"], EFFORT)
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_a_contender_that_has_ended_tells_its_status_and_leaves_no_pipe_open(sleeping):
    with Worker(sleeping.module, "missing", sleeping.cases["one"]) as worker:
        worker.ready()
        worker.process.wait()
        with pytest.raises(RuntimeError, match="contender 'missing' ended with status 0"):
            worker.ask("check")
    assert worker.process.stdin.closed
    assert worker.process.stdout.closed


def test_a_case_that_fails_is_told_and_the_others_are_measured(sleeping, monkeypatch):
    whole = driver.run_case

    def run_case(workload, name, *rest):
        return whole(workload, name, *rest) if name == "two" else 1 / 0

    monkeypatch.setattr(driver, "run_case", run_case)
    found = driver.run(sleeping, EFFORT, only=["quick"])
    assert [case["case"] for case in found["cases"]] == ["two"]
    assert found["failed"] == {"one": "division by zero"}
    assert "Failed: one: division by zero." in report.markdown(found)
    with pytest.raises(RuntimeError, match="one: division by zero"):
        driver.run(sleeping, EFFORT, cases=["one"], only=["quick"])


def test_rounds_beside_busy_programs_are_measured_again(monkeypatch):
    loads = iter([9.0, 0.0, 9.0, 0.0, 9.0])  # the first warms up
    monkeypatch.setattr(driver, "one_round", lambda present, seconds: ([1.0], next(loads)))
    monkeypatch.setattr(driver.time, "sleep", lambda seconds: None)
    kept, others, repeated = driver.rounds_of([], driver.Effort(rounds=2, quiet=0.2))
    assert (kept, others, repeated) == ([[1.0], [1.0]], 0.0, 1)


def test_rounds_are_kept_with_their_load_once_patience_ends(monkeypatch):
    monkeypatch.setattr(driver, "one_round", lambda present, seconds: ([1.0], 1.5))
    kept, others, repeated = driver.rounds_of([], driver.Effort(rounds=2, quiet=0.2, patience=0))
    assert (len(kept), others, repeated) == (2, 1.5, 0)


def test_a_step_is_timed_at_least_once_and_synchronised():
    calls = []
    step = Prepared(lambda: calls.append("step"), lambda: [], synchronise=lambda: calls.append("wait"))
    assert time_steps(step, 0) > 0
    assert calls == ["wait", "step", "wait"]


def test_contenders_run_without_the_variables_that_tie_openblas_down(monkeypatch):
    for name in machine.TUNING:
        monkeypatch.setenv(name, "Haswell")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    assert not set(machine.TUNING) & set(machine.environment())
    assert machine.environment()["OPENBLAS_NUM_THREADS"] == "1"


PEAKS = """
import numpy as np
from twingrad.benchmarks import machine
size = 1 << 26
peaks = [machine.peak(lambda: [np.ones(size, np.uint8) for _ in range(count)]) for count in (3, 0)]
print(peaks[0] is not None and [round(peak / size) for peak in peaks])
"""


def test_peak_memory_is_that_of_a_step_with_its_result():
    """In a process of its own, to the nearest 64 MiB: Linux counts pages loosely, the more so the more processors."""
    told = subprocess.run([sys.executable, "-P", "-c", PEAKS], check=True, capture_output=True, text=True).stdout
    if told == "False\n":
        pytest.skip("this system has no /proc/self/clear_refs")
    assert told == "[3, 0]\n"


def test_machine_tells_no_host_name_and_no_path():
    told = json.dumps(machine.describe())
    assert os.uname().nodename not in told
    assert str(Path.home()) not in told
    assert sys.prefix not in told


def test_command_line_writes_json_and_prints_a_table(sleeping, tmp_path, capsys):
    out = tmp_path / "results" / "sleep.json"
    options = [
        "--rounds",
        "2",
        "--seconds",
        "0.01",
        "--quiet",
        "1000",
        "--case",
        "two",
        "--only",
        "quick",
        "--only",
        "missing",
    ]
    assert driver.main(sleeping, [*options, "--json", str(out)]) == 0
    result = json.loads(out.read_text())
    assert [case["case"] for case in result["cases"]] == ["two"]
    printed = capsys.readouterr().out
    assert printed == report.markdown(result) + "\n"
    assert "| missing | absent | a_library_that_is_not_there" in printed


@pytest.mark.parametrize("options", [["--only", "nobody"], ["--rounds", "0"], ["--case", "three"]])
def test_command_line_refuses(sleeping, options, capsys):
    with pytest.raises(SystemExit) as stopped:
        driver.main(sleeping, options)
    assert stopped.value.code == 2
    assert options[1] in capsys.readouterr().err


QUOTED = {
    "README.md": ["fashion_mnist.json", "step.json"],
    "docs/fidelity.md": ["fidelity.json"],
    "benchmarks/README.md": sorted([*quoted.FILES, *(f"claims/{name}.json" for name in claims())]),
}


@pytest.mark.parametrize("page", QUOTED)
def test_page_quotes_the_results_as_they_are(page):
    """The page was rewritten after the last measurement."""
    root = Path(__file__).parents[2]
    text = (root / page).read_text(encoding="utf-8")
    assert sorted(match["name"] for match in report.MARKED.finditer(text)) == QUOTED[page]
    assert report.updated(text, root / "benchmarks" / "results") == text


def test_benchmarks_run_without_pytest():
    """The workloads need the package alone: pytest is for `pytest benchmarks/`."""
    code = (
        "import sys; sys.modules['pytest'] = None\n"
        "from twingrad.benchmarks import bench_adam, bench_dropout, bench_step\n"
        "print(*(m.WORKLOAD.module for m in (bench_adam, bench_dropout, bench_step)))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == [f"twingrad.benchmarks.bench_{name}" for name in ("adam", "dropout", "step")]
