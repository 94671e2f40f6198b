"""gpu_check.sh as far as a machine without a GPU can run it: every part is told, a JSON is written, the status is 1."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from twingrad import devices
from twingrad.benchmarks import gpu_report, gpu_step, gpu_targets

ROOT = Path(__file__).parents[2]
GPU_PARTS = ("cpu_kernels", "tests", "step", "targets", "adam", "dropout", "fidelity", "optimizers", "kernels")


def check(**environment):
    """The script, run on the checkout as it lies there."""
    return subprocess.run(
        ["bash", str(ROOT / "benchmarks/gpu_check.sh")],
        env={**os.environ, "PYTHON": sys.executable, "LIMIT": str(5 * 570), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=6 * 570,
    )


@pytest.fixture
def no_gpu():
    if shutil.which("bash") is None:
        pytest.skip("there is no bash")
    if devices.probe().reason is None:
        pytest.skip("there is a GPU here: the whole check would run")


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_every_part_is_told_and_the_reason_kept(tmp_path):
    before = sorted((ROOT / "benchmarks/results").iterdir())
    (tmp_path / "wheels").mkdir()
    with zipfile.ZipFile(tmp_path / "wheels/nvmath_python-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("nvmath/__init__.py", "")
    ran = check(OUT=str(tmp_path / "out"), WHEELS=str(tmp_path / "wheels"))
    assert ran.returncode == 1, ran.stderr
    assert "cannot be used: CuPy is not installed" in ran.stdout
    for part in GPU_PARTS:
        assert f"{part:<12}not run: there is no GPU to run it on" in ran.stdout
    (file,) = (tmp_path / "out").iterdir()
    assert file.name.startswith("gpu-none-")
    found = json.loads(file.read_text())
    assert found["parts"]["wheels"]["status"] == 0
    assert "nvmath" not in found["parts"]["modules"]["output"]
    assert found["parts"]["info"]["status"] == 0
    assert found["info"]["device"]["gpu_unused"] == devices.probe().reason
    assert {found["parts"][part]["status"] for part in GPU_PARTS} == {-1}
    assert "cannot be used" in found["parts"]["device"]["output"]
    assert found["tests"].startswith("none: FileNotFoundError")
    assert sorted((ROOT / "benchmarks/results").iterdir()) == before


@pytest.mark.usefixtures("no_gpu")
def test_parts_for_which_no_time_is_left_are_told(tmp_path):
    ran = check(LIMIT="1", OUT=str(tmp_path))
    assert ran.returncode == 1
    assert "modules     not run: no time left of 1 s" in ran.stdout
    assert "written: " in ran.stdout


@pytest.mark.usefixtures("no_gpu")
def test_nothing_is_kept_as_a_result_without_a_gpu():
    before = sorted((ROOT / "benchmarks/results").iterdir())
    ran = check(LIMIT="1")
    assert "no GPU could be used, so nothing is verified and no result is kept: not run: no time left" in ran.stdout
    assert sorted((ROOT / "benchmarks/results").iterdir()) == before


def test_the_report_takes_what_a_part_left(tmp_path):
    (tmp_path / "tests.status").write_text("0 12\n")
    (tmp_path / "tests.xml").write_text(
        '<testsuites><testsuite tests="9" failures="1" errors="0" skipped="2"/></testsuites>'
    )
    (tmp_path / "step.status").write_text("1 3\n")
    (tmp_path / "step.log").write_text("Traceback\nValueError: x\n")
    stats = {"median": 1.0, "iqr": 0.1, "min": 0.9, "max": 1.2, "rounds": 5, "mean": 1.0}
    one = {"name": "test_adam", "stats": stats, "extra_info": {"gb_per_s": 7.0}}
    (tmp_path / "adam.json").write_text(json.dumps({"benchmarks": [one]}))
    assert gpu_report.main(str(tmp_path), "yes", str(tmp_path / "out")) == 0
    (file,) = (tmp_path / "out").iterdir()
    found = json.loads(file.read_text())
    assert found["parts"]["tests"] == {"status": 0, "seconds": 12}
    assert found["parts"]["step"] == {"status": 1, "seconds": 3, "output": "Traceback\nValueError: x\n"}
    assert found["tests"] == {"tests": 9, "failures": 1, "errors": 0, "skipped": 2}
    assert found["step"].startswith("none: JSONDecodeError")
    assert found["adam"] == [
        {"name": "test_adam", **{k: stats[k] for k in gpu_report.KEPT}, "gb_per_s": 7.0},
    ]


@pytest.fixture
def torch():
    torch = pytest.importorskip("torch", reason="PyTorch, of the extra oracle, is the peer")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield torch
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("torch")
@pytest.mark.filterwarnings("ignore::twingrad.precision.PrecisionWarning")
def test_steps_are_timed_and_compared_with_pytorchs_in_each_precision(capsys):
    pytest.importorskip("ml_dtypes", reason="bf16 needs ml_dtypes, of the extra bf16")
    assert gpu_step.main(["--device", "cpu", "--quick"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["device"] == "cpu"
    assert all(seconds > 0 for seconds in found["first_step"].values())
    assert [name.rpartition(", ")[2] for name in found["steps"]] == ["float32", "tf32", "bf16"]
    for case in found["steps"].values():
        timed = {who: times for who, times in case.items() if not isinstance(times, str)}
        assert timed.keys() >= {"twingrad eager", "PyTorch eager"}
        assert all(0 < times["low_us"] <= times["median_us"] <= times["high_us"] for times in timed.values())
        assert "PyTorch has CUDA graphs on a GPU alone" in case["PyTorch CUDA graph"]
    assert all(found["epoch_ms"][who] > 0 for who in ("twingrad captured", "twingrad eager", "PyTorch eager"))


@pytest.mark.usefixtures("torch")
def test_a_contender_that_fails_or_differs_is_told_and_the_others_measured(capsys, monkeypatch):
    def breaks(*_):
        raise RuntimeError("no luck")

    def differs(*made):
        step = gpu_step.CONTENDERS["twingrad eager"](*made)
        return step._replace(run=lambda *index: float(step.run(*index)) + 1)

    whole = gpu_step.CONTENDERS["twingrad eager"]
    monkeypatch.setattr(gpu_step, "first_steps", breaks)
    monkeypatch.setattr(gpu_step, "SMALL", dict([next(iter(gpu_step.SMALL.items()))]))
    monkeypatch.setattr(
        gpu_step, "CONTENDERS", {"twingrad eager": whole, "PyTorch": differs, "twingrad captured": breaks}
    )
    assert gpu_step.main(["--device", "cpu", "--quick"]) == 1
    found = json.loads(capsys.readouterr().out)
    (case,) = found["steps"].values()
    assert found["first_step"] == case["twingrad captured"] == "RuntimeError: no luck"
    assert case["PyTorch"].startswith("AssertionError")
    assert case["twingrad eager"]["median_us"] > 0


@pytest.mark.usefixtures("torch")
def test_what_memory_limits_is_measured_beside_a_copy(capsys, monkeypatch):
    def without_compiler(quick):
        return {
            name: {who: make for who, make in contenders.items() if "compile" not in who}
            for name, contenders in workloads(quick).items()
        }

    workloads = gpu_targets.workloads
    monkeypatch.setattr(gpu_targets, "workloads", without_compiler)
    assert gpu_targets.main(["--device", "cpu", "--quick"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["copy_gb_per_s"] > 0
    assert len(found["workloads"]) == 4
    for contenders in found["workloads"].values():
        assert len(contenders) == 2
        assert all(times["of_copy"] > 0 and times["median_us"] > 0 for times in contenders.values())
    sizes = [4096, 40, 7]
    step, _, moved = gpu_targets.adam("cpu", sizes)
    step()
    assert moved == 28 * sum(sizes)
    assert gpu_targets.workloads(False).keys() >= {"Adam, 100,000,000 parameters", "Adam, 400 small tensors"}
