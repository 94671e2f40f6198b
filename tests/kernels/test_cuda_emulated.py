"""The tests marked `gpu`, run on the host by `emulated_gpu`: they and the CUDA path hold together, no more is shown."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cuda_on_host
import pytest

from twingrad.kernels.cuda import build

HERE = Path(__file__).parent


@pytest.mark.skipif(cuda_on_host.compiler() is None, reason="no C++ compiler to run the CUDA sources on the host")
def test_the_gpu_tests_pass_on_the_emulation(nvrtc, tmp_path):
    if nvrtc.version[0] != 13:
        pytest.skip(f"the stand-in says CUDA 13; the compiler found here is of CUDA {nvrtc.version[0]}")
    path = os.pathsep.join([str(HERE.parent), str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "emulated_gpu", "-p", "no:cacheprovider", "-m", "gpu"]
    ran = subprocess.run(
        [
            *command,
            "-k",
            "not 3000001 and not agree_with_the_reference and not blocks_changes",
            str(HERE / "test_cuda_gpu.py"),
        ],
        env={**os.environ, "PYTHONPATH": path, "TWINGRAD_CACHE_DIR": str(tmp_path), "TWINGRAD_REQUIRE_GPU": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
    assert " passed" in ran.stdout
    assert "skipped" not in ran.stdout
    kept = {path.name.partition("-")[0] for path in tmp_path.iterdir()}
    assert {"adam", "batch_norm", "clip", "dropout", "linear", "philox", "rmsprop", "sgd", "softmax"} <= kept
    assert kept <= set(build.names())
