"""`twingrad info`: everything there, JSON can hold it, reasons beside what cannot be used."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from twingrad import devices, info
from twingrad.kernels import cpu


@pytest.fixture(scope="module")
def found():
    return info.config()


def test_json_holds_it_all(found):
    assert json.loads(json.dumps(found)) == found


def test_versions_are_those_that_run(found):
    assert found["versions"]["numpy"] == np.__version__
    assert found["versions"]["python"] == ".".join(str(part) for part in sys.version_info[:3])
    assert found["versions"]["twingrad"]


def test_an_unused_gpu_has_its_reason(found):
    assert found["device"]["available"][-1] == "cpu"
    assert (found["device"]["gpu_unused"] is None) == (len(found["device"]["gpus"]) > 0)
    assert found["device"]["gpu_unused"] == devices.probe().reason


def test_kernels_are_there_or_say_why_not(found):
    for name in ("cpu_kernels", "cuda_kernels"):
        assert found[name]["available"] is (found[name]["reason"] is None)
    if found["cpu_kernels"]["available"]:
        assert found["cpu_kernels"]["threads"] >= 1
        assert found["cpu_kernels"]["instruction_set"]


def test_the_path_of_matrix_products_is_told(found, monkeypatch):
    assert found["matmul"]["split"] is (found["matmul"]["reason"] is None)
    monkeypatch.setattr(cpu, "unavailable", lambda: "no compiler")
    without = info.config()
    assert without["matmul"] == {
        "split": False,
        "path": "np.matmul: its bits may depend on the thread count",
        "reason": "no compiler",
    }
    assert without["cpu_kernels"] == {
        "available": False,
        "reason": "no compiler: install g++ and run pip install again",
    }


def test_openblas_of_the_wheel_says_its_core_type(found):
    if found["blas"]["name"] != "scipy-openblas":
        pytest.skip(f"NumPy here uses {found['blas']['name']}, not the OpenBLAS of its wheels")
    assert found["blas"]["core_type"]
    assert found["blas"]["threads"] >= 1


def test_a_pinned_openblas_is_warned_of(monkeypatch):
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    assert info.blas()["warning"] is None
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    assert "OPENBLAS_CORETYPE=Haswell" in info.blas()["warning"]
    assert info.config()["variables"]["OPENBLAS_CORETYPE"] == "Haswell"


def test_a_bad_variable_is_shown_not_raised(monkeypatch):
    monkeypatch.setenv("TWINGRAD_DEVICE", "cuda1")
    device = info.config()["device"]
    assert device["chosen"] is None
    assert "unknown device 'cuda1'" in device["error"]
    assert "unknown device 'cuda1'" in info.render({"device": device})


def test_refusals_are_shown():
    refusal = {"operation": "relu", "backend": "cpu", "reason": "not contiguous", "count": 3}
    assert "operation relu; backend cpu; reason not contiguous; count 3" in info.render({"refusals": [refusal]})


def test_show_config_prints_every_section():
    printed = subprocess.run(
        [sys.executable, "-c", "import twingrad.info; twingrad.info.show_config()"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "TWINGRAD_DEVICE": "cpu"},
    ).stdout
    for section in ("versions", "platform", "device", "cpu_kernels", "cuda_kernels", "blas", "matmul", "refusals"):
        assert any(line.startswith(section) for line in printed.splitlines())
    assert np.__version__ in printed


def test_a_gpus_memory_is_told_in_words():
    gpu = {"device": "cuda", "memory": 150_000_000_000, "memory_free": 1536, "precisions": ["float32", "tf32"]}
    told = "cuda; memory 139.7 GiB; memory free 1.5 KiB; precisions float32, tf32"
    assert info.render({"device": {"gpus": [gpu]}}).endswith(f"gpus  device {told}")
