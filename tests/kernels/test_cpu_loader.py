"""What is compiled, chosen and found: with no compiler, with a lesser instruction set, with another BLAS."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cpu_cases import ISAS, needs_kernels, run

from twingrad.fusable import registry
from twingrad.kernels import cpu
from twingrad.kernels.cpu import loader, overrides
from twingrad.kernels.cpu.arguments import refusal

ROOT = Path(__file__).parents[2]


def build(compiler: str, folder: Path) -> Path:
    """Where the library is, or would be, after a build with this compiler."""
    command = [
        sys.executable,
        "setup.py",
        "-q",
        "build_ext",
        "--build-lib",
        folder / "lib",
        "--build-temp",
        folder / "temp",
    ]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"CXX": compiler}, capture_output=True, check=True)
    return folder / "lib/twingrad/kernels/cpu/_kernels.so"


def test_without_a_compiler_the_build_succeeds_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = build("/nonexistent", tmp_path)
    assert not library.exists()
    monkeypatch.setattr(loader, "FILE", library)
    with pytest.raises(OSError, match="the CPU kernels are not compiled: CXX=/nonexistent named no C"):
        loader._load()


def test_an_editable_install_without_a_compiler_drops_the_old_library(tmp_path: Path) -> None:
    for folder in ("src", "kernels", "backends", "benchmarks"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    shutil.copy(ROOT / "setup.py", tmp_path)
    home = tmp_path / "kernels/cpu"
    (home / "_kernels.so").write_bytes(b"old")
    command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    subprocess.run(command, cwd=tmp_path, env=os.environ | {"CXX": "/nonexistent"}, capture_output=True, check=True)
    assert not (home / "_kernels.so").exists()
    assert "CXX=/nonexistent" in (home / "_kernels.txt").read_text()


@needs_kernels
def test_a_library_of_other_sources_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its functions may take their arguments in another layout: such a library would crash the process."""
    assert isinstance(loader.Library(), loader.Library)
    monkeypatch.setattr(loader.sources, "digest", lambda: "of edited files")
    with pytest.raises(OSError, match="compiled from other sources than those beside them: install twingrad again"):
        loader.Library()
    monkeypatch.setattr(loader.sources, "files", list)  # a library installed without its sources
    assert isinstance(loader.Library(), loader.Library)


WITHOUT = """
import numpy as np
from twingrad import Tensor, functional as F
from twingrad.kernels import cpu

cpu.find = lambda: "no library"
x = Tensor(np.asarray([-1.0, 0.0, 2.0]), requires_grad=True)
for function in (F.relu, F.tanh, F.sigmoid):
    function(x.data)
    function(x).sum().backward()
print(x.grad.round(6).tolist())
"""


def test_activations_of_few_elements_without_the_library() -> None:
    found = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)
    x = np.asarray([-1.0, 0.0, 2.0])
    logistic = 1 / (1 + np.exp(-x))
    assert found.stdout.strip() == str(((x > 0) + 1 - np.tanh(x) ** 2 + logistic * (1 - logistic)).round(6).tolist())


def test_a_compiler_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = tmp_path / "c++"
    compiler.write_text("#!/bin/sh\necho 'error: unrecognized option -x' >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setattr(loader, "FILE", build(str(compiler), tmp_path))
    with pytest.raises(OSError, match="unrecognized option -x"):
        loader._load()


@needs_kernels
@pytest.mark.parametrize("isa", ISAS)
def test_the_variable_forces_an_instruction_set(isa: str) -> None:
    code = "from twingrad.kernels import cpu; print(cpu.instruction_set())"
    assert run(code, TWINGRAD_ISA=isa).endswith(isa)


@needs_kernels
def test_an_instruction_set_that_is_not_there_is_said() -> None:
    code = "from twingrad.kernels import cpu; print(cpu.unavailable())"
    assert run(code, TWINGRAD_ISA="v9").startswith(
        "TWINGRAD_ISA=v9 is not an instruction set that runs here; these do: "
    )


@needs_kernels
@pytest.mark.parametrize(("variable", "wrong"), [("TWINGRAD_ISA", "v9"), ("TWINGRAD_NUM_THREADS", "0")])
def test_a_wrong_variable_that_turns_kernels_off_is_warned_of_once(variable: str, wrong: str) -> None:
    code = (
        "import warnings\n"
        "with warnings.catch_warnings(record=True) as told:\n"
        "    warnings.simplefilter('always')\n"
        "    from twingrad.kernels import cpu\n"
        "    cpu.available(), cpu.available()\n"
        "print(*(f'{each.category.__name__}: {each.message}' for each in told), sep='|')"
    )
    told = run(code, **{variable: wrong})
    assert told.startswith(f"DeviceWarning: the CPU kernels are off: {variable}={wrong} is no")
    assert "|" not in told


@needs_kernels
def test_thread_counts_come_from_the_environment() -> None:
    code = "from twingrad.kernels import cpu; print(cpu.threads())"
    assert run(code, TWINGRAD_NUM_THREADS="3", OMP_NUM_THREADS="2") == "3"
    assert run(code, TWINGRAD_NUM_THREADS="", OMP_NUM_THREADS="2,1") == "2"
    assert run(code, TWINGRAD_NUM_THREADS="", OMP_NUM_THREADS="1000") == "256"


@needs_kernels
@pytest.mark.parametrize("wrong", ["two", "0", "257", "2.5", "\u00b2"])
def test_a_wrong_number_of_threads_is_told(wrong: str) -> None:
    code = "from twingrad.kernels import cpu; print(ascii(cpu.unavailable()))"
    assert f"TWINGRAD_NUM_THREADS={ascii(wrong)[1:-1]} is no number of threads: 1 to 256" in run(
        code, TWINGRAD_NUM_THREADS=wrong
    )


@pytest.mark.parametrize(
    ("text", "most"), [("150000 100000", 2), ("50000 100000", 1), ("max 100000", None), ("", None)]
)
def test_a_quota_limits_the_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, most: int | None
) -> None:
    for name in ("TWINGRAD_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    monkeypatch.setattr(loader, "CPU_QUOTA", tmp_path / "cpu.max")
    (tmp_path / "cpu.max").write_text(text)
    assert loader._default_threads() == (most or 8)


def test_without_the_library_every_operation_takes_the_reference_path(tmp_path: Path) -> None:
    code = f"""
import pathlib
from twingrad.kernels.cpu import loader
loader.FILE = pathlib.Path({str(tmp_path / "none.so")!r})
import numpy as np, twingrad as tg
print(tg.functional.relu(np.array([-1.0, 2.0])).tolist(), tg.fused_report()[0]["reason"])
"""
    assert run(code) == "[0.0, 2.0] the CPU kernels are not compiled: install twingrad where there is a C++ compiler"


@needs_kernels
def test_every_kernel_has_its_copies() -> None:
    assert overrides.unavailable() is None
    kernels = [o for o in gc.get_objects() if type(o) is cpu.Kernel and o.name != "counter_add"]  # int64 alone
    assert len(kernels) >= 30
    for kernel in kernels:
        assert all(cpu.library().symbol(kernel.name, suffix) for suffix in ("f32", "f64"))


@needs_kernels
def test_addresses() -> None:
    for array in (np.ones(3), np.ones((4, 5), np.float32)[1:, 2:], np.ones(())):
        assert cpu.address(array) == array.ctypes.data
    assert cpu.address(None) == 0


def test_refusals_name_the_argument_and_the_reason() -> None:
    x, buffer = np.ones((2, 3), np.float32), np.zeros(9, np.uint8)
    assert refusal(x=x, weight=x) is None
    assert refusal(x=[1.0]) == "x is a builtins.list, not a NumPy array"
    assert refusal(x=x.astype("f2")) == "x has dtype float16; there are kernels for float32 and float64"
    assert refusal(x=x.astype(">f4")) == "x has dtype >f4; there are kernels for float32 and float64"
    assert refusal(x=x, weight=np.ones(3)) == "weight has dtype float64, but x float32"
    assert str(refusal(x=x.T)).startswith("x is not C-contiguous and aligned (shape (3, 2), strides (4, 12))")
    assert str(refusal(x=buffer[1:].view("f8"))).startswith("x is not C-contiguous and aligned")


def test_each_operation_with_gradients_has_a_kernel() -> None:
    assert {name for name, operation in registry.items() if "cpu" in operation.kernels} >= {
        "adam_segments",
        "batch_norm",
        "dropout",
        "linear",
        "relu",
        "sgd_segments",
        "softmax_cross_entropy",
    }
