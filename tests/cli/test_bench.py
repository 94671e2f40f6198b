"""`twingrad bench`: what it writes and prints. What it measures is tested in tests/benchmarks."""

import json
import re

import pytest

from twingrad.benchmarks import driver, suites

from kernels_here import no_kernels

TINY = driver.Effort(rounds=1, seconds=0.0, quiet=99.0)


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """One case, one round."""
    monkeypatch.setattr(suites, "QUICK", TINY)
    monkeypatch.setattr(suites, "SUITES", {"step": ("bench_kernels",)})
    whole = suites.workload_of("bench_kernels")
    only = {name: whole.cases[name] for name in ("relu 128x512", "relu 4096x1024")}
    small = driver.Workload(**{**vars(whole), "cases": only})
    monkeypatch.setattr(suites, "workload_of", lambda name: small)


def test_result_table_and_path(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = call("bench", "--suite", "step", "--quick")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "result: bench/step-1.json"
    written = json.loads((tmp_path / "bench/step-1.json").read_text())
    assert [case["case"] for case in written["workloads"][0]["cases"]] == ["relu 128x512"]
    assert "| relu 128x512 |" in out
    assert (tmp_path / "bench/step-1.md").read_text().startswith("## kernels\n")
    if written["skipped"].get("plots") is None and not no_kernels():
        assert (tmp_path / "bench/step-1-kernels.png").stat().st_size > 1000
        assert "![kernels](step-1-kernels.png)" in (tmp_path / "bench/step-1.md").read_text()
    assert "- kernels: 1 large case: --quick" in out
    assert "bench_philox (in no suite)" in out
    who = [row["contender"] for row in written["workloads"][0]["cases"][0]["contenders"]]
    assert who == (["reference", "copy"] if no_kernels() else ["fused", "reference", "copy"])


def test_json_and_comparison_and_a_name_of_its_own(call, tmp_path):
    options = ["bench", "--suite", "step", "--quick", "--out", str(tmp_path / "there")]
    assert call(*options)[0] == 0
    first = tmp_path / "there/step-1.json"
    old = json.loads(first.read_text())
    for case in old["workloads"][0]["cases"]:
        for row in case["contenders"]:
            row["median_ms"], row["quartiles_ms"] = 1e-6, [1e-6, 1e-6]
    first.write_text(json.dumps(old))
    code, out, err = call(*options, "--json", "--compare", str(first))
    assert code == 0
    found = json.loads(out)
    assert found["result"] == str(tmp_path / "there/step-2.json")
    assert {"name", "old_ms", "new_ms"} == found["slower"][0].keys()
    assert "measurements became slower by more than 10%:" in err
    assert json.loads(first.read_text()) == old
    assert "slower" not in json.loads((tmp_path / "there/step-2.json").read_text())


def test_a_workload_that_fails_ends_with_code_1(call, tmp_path, monkeypatch):
    def run(*args, **kwargs):
        raise AssertionError("they differ")

    monkeypatch.setattr(driver, "run_case", run)
    code, out, err = call("bench", "--suite", "step", "--quick", "--out", str(tmp_path / "there"))
    assert (code, err) == (1, "")
    assert ": they differ" in out.partition("## failed")[2]


def test_bad_input_is_found_before_anything_is_measured(call, tmp_path, monkeypatch):
    monkeypatch.setattr(suites, "run", lambda *args: pytest.fail("measured"))
    (tmp_path / "file").write_text("{}")
    for options, told in (
        (["--suite", "gpu"], "suite"),
        (["--out", str(tmp_path / "file")], "file"),
        (["--compare", str(tmp_path / "none.json")], "none.json"),
        (["--compare", str(tmp_path / "file")], "is not a result of `twingrad bench`"),
        (["--rounds", "3"], "--rounds"),
    ):
        code, out, err = call("bench", *options)
        assert (code, out, err.count("\n")) == (2, "", 1), options
        assert told in err


def test_a_run_cut_short_leaves_no_empty_file(call, tmp_path, monkeypatch):
    def stopped(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(suites, "run", stopped)
    assert call("bench", "--suite", "step", "--out", str(tmp_path / "there"))[0] == 130
    assert list((tmp_path / "there").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told_by_its_option(call, tmp_path):
    (tmp_path / "file").write_text("")
    code, out, err = call("bench", "--out", tmp_path / "file" / "x")
    assert (code, out) == (2, "")
    assert re.fullmatch(
        r"twingrad bench: error: --out .*x cannot be written \(Not a dir.*\); name another folder\n", err
    )
