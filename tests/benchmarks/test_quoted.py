"""The command that measures again what the pages quote."""

from __future__ import annotations

import json
import subprocess

import pytest

from twingrad.benchmarks import driver, quoted, suites


@pytest.fixture
def measured(monkeypatch):
    """What `driver.run` was asked for; the step's contenders disagree."""
    asked = []

    def run(workload, effort, tell):
        asked.append((workload.name, list(workload.cases), effort))
        if workload.name == "step":
            raise AssertionError("losses differ")
        return {"workload": workload.name, "seconds_an_epoch": {}}

    monkeypatch.setattr(driver, "run", run)
    return asked


def test_files_are_written_as_they_are_measured_and_pages_made_anew(measured, tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("<!-- results/step.json -->\nold\n<!-- end -->\n")
    only = ["--only", "step.json", "--only", "adam.json"]
    assert quoted.main([*only, "--out", str(tmp_path / "new"), "--update", str(page)]) == 1
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["adam.json"]
    assert json.loads((tmp_path / "new/adam.json").read_text())["workload"] == "adam"
    assert [effort for _, _, effort in measured] == [quoted.FILES[name][1] for name in ("step.json", "adam.json")]
    assert "step.json: FAILED: all: losses differ" in capsys.readouterr().err
    assert page.read_text() == "<!-- results/step.json -->\nNot measured so far.\n<!-- end -->\n"


def test_a_quick_try_leaves_out_large_cases(measured, tmp_path):
    assert quoted.main(["--only", "adam.json", "--quick", "--out", str(tmp_path)]) == 0
    assert measured == [("adam", ["0.67 million"], suites.QUICK)]


def test_every_workload_of_the_targets_is_measured_again():
    modules = {module for module, _ in quoted.FILES.values()}
    assert modules == {*suites.SUITES["cpu"], "fashion_mnist"}


def test_whatever_one_workload_raises_the_others_are_measured(monkeypatch, tmp_path, capsys):
    def run(workload, effort, tell):
        if workload.name == "adam":
            raise subprocess.CalledProcessError(1, "python")
        return {"workload": workload.name, "failed": {"large": "contenders differ"}}

    monkeypatch.setattr(driver, "run", run)
    assert quoted.main(["--only", "adam.json", "--only", "dropout.json", "--out", str(tmp_path)]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["dropout.json"]
    told = capsys.readouterr().err
    assert "adam.json: FAILED: all: Command 'python' returned" in told
    assert "dropout.json: FAILED: large: contenders differ" in told
