"""Where no compiler was at hand: a copy of the package without its compiled library."""

import json
import re
import shutil
from importlib import import_module
from pathlib import Path

import pytest

PARTS = ("twingrad", "twingrad.backends", "twingrad.kernels", "twingrad.benchmarks")


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A folder for PYTHONPATH."""
    folder = tmp_path_factory.mktemp("bare")
    for part in PARTS:
        source = Path(import_module(part).__file__).parent
        ignore = shutil.ignore_patterns("*.so", "*.pyd", "*.dylib", "__pycache__")
        shutil.copytree(source, folder / part.replace(".", "/"), ignore=ignore, dirs_exist_ok=True)
    return folder


def test_train_runs_on_the_reference_path_and_says_so(twingrad, bare, quick, tmp_path):
    done = twingrad("train", *quick, "--json", cwd=tmp_path, PYTHONPATH=str(bare))
    result = json.loads(done.stdout)
    assert result["test_accuracy"] > 0.3
    assert re.fullmatch(r"reference \(.*CPU kernels are not .*\)", result["path"])
    assert result["step"].startswith("eager (")
    assert result["path"] in done.stderr


def test_info_says_so_too(twingrad, bare, tmp_path):
    found = json.loads(twingrad("info", "--json", cwd=tmp_path, PYTHONPATH=str(bare)).stdout)
    assert found["cpu_kernels"]["available"] is False
    assert "C++ compiler" in found["cpu_kernels"]["reason"]
