"""The interpreter of gpu_check.sh where `emulated_gpu` stands for a GPU: each of its commands, on small arrays.

    PYTHON=python_of_the_check benchmarks/gpu_check.sh      # a script that calls this file with the same arguments

Networks and arrays are small under the names of the large, and PyTorch's contenders are twingrad's, so that a result is
made up, in the form that the check writes. Only a few tests run; three benchmarks and the table of fidelity fail.
"""

from __future__ import annotations

import importlib.machinery
import os
import runpy
import shutil
import sys
from pathlib import Path
from typing import Any

import cuda_on_host
import emulated_gpu
import pytest

ROOT = Path(__file__).parents[2]
KEPT = Path(os.environ["TWINGRAD_CACHE_DIR"]) / "grid.so"
SMALL = ["-p", "no:cacheprovider", "--benchmark-max-time=0.01", "--benchmark-min-rounds=1"]
FEW = "arrays_move or adam_update_takes or (test_adam and 0.67 and fused)"
build_library = cuda_on_host._built


def built_once(folder: Path, shim: str) -> Path:
    """The kernels' library, from one process for all."""
    if not KEPT.exists():
        shutil.copy(build_library(folder, shim), KEPT.with_suffix(".new"))
        KEPT.with_suffix(".new").rename(KEPT)
    return KEPT


def steps() -> int:
    from twingrad.benchmarks import gpu_step

    small = next(iter(gpu_step.SMALL.values()))
    gpu_step.SMALL = {name: small | {"precision": case["precision"]} for name, case in gpu_step.CASES.items()}
    twingrad = {who: make for who, make in gpu_step.CONTENDERS.items() if who.startswith("twingrad")}
    eager = twingrad["twingrad eager"]
    gpu_step.CONTENDERS = twingrad | {"PyTorch CUDA graph": eager, "PyTorch eager": eager}
    sys.executable = str(shutil.which("true"))  # of the processes whose first step is timed
    return gpu_step.main(["--quick"])


def targets() -> int:
    from twingrad.benchmarks import gpu_targets

    workloads = gpu_targets.workloads
    small = zip(workloads(False), workloads(True).values(), strict=True)
    made_up = {name: dict.fromkeys(contenders, contenders["twingrad"]) for name, contenders in small}
    gpu_targets.workloads = lambda quick: made_up
    return gpu_targets.main(["--quick"])


def tests(arguments: list[str]) -> int:
    """Of all tests marked gpu a few; of the benchmarks Adam's smallest."""
    if arguments[-1].startswith("--benchmark-json") and "adam" not in arguments[1]:
        print("not on the emulation")
        return 3
    return int(
        pytest.main([*SMALL, *arguments, "-k", "arrays_move or adam_update_takes or (test_adam and 0.67 and fused)"])
    )


def module(name: str, arguments: list[str]) -> int:
    own: dict[str, Any] = {
        "twingrad.benchmarks.gpu_step": steps,
        "twingrad.benchmarks.gpu_targets": targets,
        "pytest": lambda: tests(arguments),
        "twingrad.benchmarks.fidelity": lambda: 4,
    }
    if name in own:
        return int(own[name]())
    sys.argv = [name, *arguments]
    runpy.run_module(name, run_name="__main__", alter_sys=True)
    return 0


def main(first: str, *rest: str) -> int:
    """python -m MODULE, python -c CODE, python FILE, or python - with the code on its input."""
    cuda_on_host._built = built_once
    emulated_gpu.pytest_configure(None)
    for name in ("cupy", "nvmath"):
        sys.modules[name].__spec__ = importlib.machinery.ModuleSpec(name, None)
    if first == "-m":
        return module(rest[0], list(rest[1:]))
    if first in ("-c", "-"):
        exec(rest[0] if first == "-c" else sys.stdin.read(), {"__name__": "__main__"})
        return 0
    sys.argv = [first, *rest]
    runpy.run_path(first, run_name="__main__")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
