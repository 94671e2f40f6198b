"""README's table of what a GPU is to reach: from a result that gpu_check.sh wrote, on the emulation of a GPU."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import cuda_on_host
import pytest

from twingrad.benchmarks import gpu_goals, gpu_report, gpu_table, report
from twingrad.kernels.cuda.nvrtc import NvrtcError, find

ROOT = Path(__file__).parents[2]
FAIL_THERE = {"dropout", "fidelity", "optimizers", "kernels"}
PASS_THERE = {"modules", "cpu_kernels", "info", "device", "tests", "step", "targets", "adam"}


def script(path, *lines):
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """The whole script where the emulation stands for a GPU: what it printed, and the folder with its result."""
    if cuda_on_host.compiler() is None:
        pytest.skip("no C++ compiler to run the CUDA sources on the host")
    try:
        find(13)
    except NvrtcError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("check")
    stand_ins = f"{ROOT}/tests:{ROOT}/tests/kernels"
    command = f'exec "{sys.executable}" {ROOT}/tests/kernels/emulated_check.py "$@"'
    script(folder / "python", f'export PYTHONPATH="{stand_ins}:$PYTHONPATH"', command)
    script(folder / "nvidia-smi", 'echo "NVIDIA H200, 9.0, 143771 MiB, 580.65.06"')
    (folder / "cache").mkdir()
    variables = {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "PYTHON": str(folder / "python"),
        "OUT": str(folder / "out"),
        "TWINGRAD_CACHE_DIR": str(folder / "cache"),
        "TWINGRAD_DEVICE": "auto",
        "LIMIT": str(5 * 570),
    }
    before = {path: path.read_bytes() for path in (ROOT / "README.md", ROOT / "docs/fidelity.md")}
    ran = subprocess.run(
        ["bash", str(ROOT / "benchmarks/gpu_check.sh")],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=6 * 570,
    )
    assert all(path.read_bytes() == text for path, text in before.items()), "OUT is to leave the pages alone"
    return ran, folder / "out"


@pytest.fixture
def result(checked):
    (file,) = checked[1].iterdir()
    return json.loads(file.read_text())


def write(folder, *results):
    for number, one in enumerate(results):
        (folder / f"gpu-{number}.json").write_text(json.dumps(one))


def test_every_part_is_told_and_survives_the_failure_of_others(checked, result):
    ran, _ = checked
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert {name for name, part in result["parts"].items() if part["status"] == 0} == PASS_THERE, ran.stdout
    assert {name for name, part in result["parts"].items() if part["status"] > 0} == FAIL_THERE
    assert result["machine"].startswith("NVIDIA H200, 9.0, 143771 MiB, 580.65.06; Linux")
    assert "not on the emulation" in result["parts"]["kernels"]["output"]
    assert result["tests"]["tests"] > 1 > result["tests"]["skipped"] + result["tests"]["failures"]
    assert all(row["median"] > 0 and row["gb_per_s"] > 0 for row in result["adam"])
    assert result["info"]["device"]["gpus"][0]["name"] == "a host in disguise"
    end = ran.stdout.partition("\n\n")[2]
    assert "passed: adam, cpu_kernels, device, info, modules, step, targets, tests" in end
    assert "failed: dropout, fidelity, kernels, optimizers" in end
    assert end.count("reached   ") + end.count("MISSED") == len(gpu_goals.GOALS)


def test_every_goal_finds_its_figure_in_what_the_check_writes(result):
    steps, workloads = result["step"]["steps"], result["targets"]["workloads"]
    found = {(goal.workload, goal.target): goal.figure(result) for goal in gpu_goals.GOALS}
    assert len(found) == len(gpu_goals.GOALS) == 13
    assert all(figure > 0 for figure in found.values())
    adam = workloads[gpu_goals.ADAM]
    name = f"{gpu_goals.ADAM}, float32, one launch"
    assert found[name, "at least 93% of a copy's rate"] == adam["twingrad"]["of_copy"]
    ratio = adam["PyTorch"]["median_us"] / adam["twingrad"]["median_us"]
    assert found[name, "at least as fast as PyTorch's fused Adam"] == ratio
    captured = steps[gpu_goals.TF32]["twingrad captured"]["median_us"]
    assert found[f"captured step {gpu_goals.TF32}", "at most 55 µs"] == captured
    large = steps[gpu_goals.LARGE]
    theirs, ours = (
        min(times["median_us"] for who, times in large.items() if who.startswith(of) and isinstance(times, dict))
        for of in ("PyTorch", "twingrad")
    )
    assert found[f"step {gpu_goals.LARGE}", "at least 95% of PyTorch's rate"] == theirs / ours


def test_readme_shows_the_figure_the_target_and_whether_it_is_met(checked, result, tmp_path):
    page = tmp_path / "README.md"
    page.write_text((ROOT / "README.md").read_text(encoding="utf-8"), encoding="utf-8")
    result["targets"]["workloads"][gpu_goals.ADAM]["twingrad"]["of_copy"] = 0.93
    result["targets"]["workloads"][gpu_goals.DROPOUT]["twingrad"]["of_copy"] = 0.8999
    result["step"]["epoch_ms"]["twingrad captured"] = 41.5
    write(tmp_path, result)
    assert report.main(["--update", str(page), "--from", str(tmp_path)]) == 0
    text, where = page.read_text(encoding="utf-8"), f"NVIDIA H200, {result['date'][:10]}"
    assert f"one launch | at least 93% of a copy's rate | 93.0% on {where} | yes |" in text
    assert f"forward + backward | at least 90% of a copy's rate | 90.0% on {where} | **no** |" in text
    assert f"| at most 50 ms | 41.5 ms on {where} | yes |" in text
    table = text.partition("| on an H200 |")[2].partition("<!-- end -->")[0]
    assert table.count(where) == len(gpu_goals.GOALS)
    assert gpu_goals.NOT_YET not in table


def test_what_no_file_shows_is_not_verified_and_says_why(result):
    older = copy.deepcopy(result)
    older["date"] = "2020-01-02T00:00:00+00:00"
    absent = "ImportError: torch is not installed: pip install 'twingrad[oracle]' | " + "x" * 200
    for workload in result["targets"]["workloads"].values():
        workload.update({who: absent for who in workload if who.startswith("PyTorch")})
    result["step"] = "none: JSONDecodeError: nothing"
    del older["step"]["epoch_ms"]
    alone = {row[:2]: row[2:] for row in gpu_goals.rows([result])}
    peer = (f"{gpu_goals.ADAM}, float32, one launch", "at least as fast as PyTorch's fused Adam")
    step = (f"captured step {gpu_goals.FULL}", "at most 80 µs")
    epoch = (f"an epoch of 60,000 images, {gpu_goals.FULL}", "at most 50 ms")
    assert alone[peer][0].startswith(f"**{gpu_goals.NOT_YET}**: PyTorch: ImportError: torch is not installed")
    assert alone[peer][0].endswith("...")
    assert "|" not in alone[peer][0]
    assert alone[step] == (f"**{gpu_goals.NOT_YET}**: twingrad captured: none: JSONDecodeError: nothing", "")
    both = {row[:2]: row[2:] for row in gpu_goals.rows([result, older])}
    assert both[peer][0].endswith("times on NVIDIA H200, 2020-01-02")
    assert both[epoch] == (f"**{gpu_goals.NOT_YET}**: none: JSONDecodeError: nothing", "")


def test_files_of_no_gpu_show_nothing_and_the_newest_comes_first(result, tmp_path):
    none, newer = copy.deepcopy(result), copy.deepcopy(result)
    none["parts"]["device"]["status"] = 1
    newer["date"] = "2040-01-02T00:00:00+00:00"
    write(tmp_path, none)
    assert gpu_goals.on_a_gpu(tmp_path) == []
    assert all(row[2:] == (f"**{gpu_goals.NOT_YET}**", "") for row in gpu_goals.rows([]))
    write(tmp_path, none, result, newer)
    assert [one["date"] for one in gpu_goals.on_a_gpu(tmp_path)] == [newer["date"], result["date"]]
    assert "2040-01-02" in gpu_table.markdown(tmp_path)


def test_the_parts_are_summed_up():
    parts = {"a": {"status": 0}, "b": {"status": 124}, "c": {"status": -1}}
    assert gpu_report.summary(parts) == "passed: a; failed: b; not run: c"
    assert gpu_report.summary({"a": {"status": 0}}) == "passed: a"
