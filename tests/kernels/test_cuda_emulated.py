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


pytestmark = pytest.mark.skipif(
    cuda_on_host.compiler() is None, reason="no C++ compiler to run the CUDA sources on the host"
)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Where machine code stays from test to test."""
    cuda_on_host.library()  # is built here, and found by the processes
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def emulated(nvrtc, tmp_path, kept):
    """emulated(*arguments): pytest where `import cupy` finds the stand-in; its output, once it has passed."""
    if nvrtc.version[0] != 13:
        pytest.skip(f"the stand-in says CUDA 13; the compiler found here is of CUDA {nvrtc.version[0]}")
    path = os.pathsep.join([str(HERE.parent), str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "emulated_gpu", "-p", "no:cacheprovider"]
    command.append(f"--basetemp={tmp_path / 'inner'}")  # sessions that begin together may clear the common folder
    variables = {"PYTHONPATH": path, "TWINGRAD_CACHE_DIR": str(kept), "TWINGRAD_REQUIRE_GPU": "1"}

    def run(*arguments):
        ran = subprocess.run(
            [*command, *arguments],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
        assert " passed" in ran.stdout
        return ran.stdout

    return run


def test_the_gpu_tests_pass_on_the_emulation(emulated, kept):
    others = "not 3000001 and not agree_with_the_reference and not blocks_changes"  # test_cuda_parity runs these
    assert "skipped" not in emulated("-m", "gpu", "-k", others, str(HERE / "test_cuda_gpu.py"))
    kernels = {path.name.partition("-")[0] for path in kept.iterdir()}
    assert {"adam", "batch_norm", "clip", "dropout", "linear", "philox", "rmsprop", "sgd", "softmax"} <= kernels
    assert kernels <= set(build.names())


def test_the_gpu_tests_of_precision_pass_on_the_emulation(emulated):
    emulated("-m", "gpu", "-k", "not agree_with_their_definition", str(HERE / "test_cuda_gpu_precision.py"))


def test_the_benchmarks_of_the_gpu_check_begin_on_the_emulation(emulated):
    names = ("adam", "dropout", "kernels", "optimizers")
    files = [str(HERE.parents[1] / "benchmarks" / f"bench_{name}.py") for name in names]
    emulated(*files, "--device", "cuda", "--benchmark-disable", "-k", "not peers")
