"""Where no compiler was at hand: a copy of the package without its compiled library."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from processes import PATIENCE

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


def test_a_run_that_ended_with_kernels_is_told_without_them(twingrad, bare, quick, tmp_path):
    twingrad("train", *quick, "--out", "run", cwd=tmp_path)
    done = twingrad("train", "--resume", "run", cwd=tmp_path, PYTHONPATH=str(bare))
    assert "run had ended already" in done.stderr
    assert re.search(r"^ +kernels ", done.stdout, re.MULTILINE)


def test_info_says_so_too(twingrad, bare, tmp_path):
    found = json.loads(twingrad("info", "--json", cwd=tmp_path, PYTHONPATH=str(bare)).stdout)
    assert found["cpu_kernels"]["available"] is False
    assert "C++ compiler" in found["cpu_kernels"]["reason"]
    assert found["cpu_kernels"]["reason"].endswith(": install g++ and run pip install again")


EVERYTHING = """
import numpy as np
from twingrad import functional as F, nn, optim
layers = [nn.Linear(4, 5), nn.BatchNorm(5), nn.ReLU(), nn.Linear(5, 5), nn.LayerNorm(5), nn.Tanh(), nn.Sigmoid()]
model = nn.Sequential(*layers, nn.ReLU(), nn.LeakyReLU(), nn.Dropout(0.5), nn.Softmax(), nn.ReLU(), nn.Linear(5, 3))
optimizer = optim.Adam(model)
for _ in range(2):
    loss = F.softmax_cross_entropy(model(np.eye(6, 4, dtype=np.float32)), np.arange(6) % 3)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(float(loss))
"""


def test_few_elements_take_the_reference_path_too(bare, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(bare)}
    command = [sys.executable, "-c", EVERYTHING]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert 0 < float(done.stdout) < 3
