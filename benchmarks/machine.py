"""Where a benchmark ran: the machine in words, the versions, and how busy it was."""

from __future__ import annotations

import ctypes
import importlib
import os
import platform
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from twingrad import info
from twingrad.kernels import cpu
from twingrad.kernels.cpu import memory

LIBRARIES = ("numpy", "torch", "jax", "optax", "scikit-learn", "autograd", "cupy-cuda13x", "cupy-cuda12x")
TUNING = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
"""Variables that tie OpenBLAS to another machine's kernels or tiles: benchmarks run without them."""


def environment() -> dict[str, str]:
    """This process's variables without those of TUNING: what every contender is started with."""
    return {name: value for name, value in os.environ.items() if name not in TUNING}


def describe() -> dict[str, Any]:
    """The machine and the libraries, without names or paths: what stands at the head of every result."""
    found = info.config()
    kernels, blas = found["cpu_kernels"], found["blas"]
    return {
        "cpu": found["platform"]["cpu"],
        "cores": found["platform"]["cores"],
        "widest_instructions": _widest(),
        "memory_gib": _memory(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "libraries": {name: version for name in LIBRARIES if (version := _version(name)) is not None},
        "blas": f"{blas['name']} {blas['version']}",
        "blas_core_type": blas["core_type"],
        "blas_threads": blas["threads"],
        "kernels": kernels.get("instruction_set") or kernels.get("reason"),
        "kernel_threads": kernels.get("threads"),
        "matmul_split": found["matmul"]["split"],
        "gpus": found["device"]["gpus"],
    }


def line(machine: dict[str, Any]) -> str:
    """The description in one line.

    >>> line({"cpu": "A", "cores": 2, "widest_instructions": "AVX2", "kernels": "x86-64-v3", "kernel_threads": 2,
    ...       "blas": "B 1", "blas_core_type": "C", "python": "3.11", "libraries": {"numpy": "2.0"}})
    'A, 2 cores, AVX2; kernels x86-64-v3 on 2 threads; B 1 (C); Python 3.11, numpy 2.0'
    """
    libraries = "".join(f", {name} {version}" for name, version in machine["libraries"].items())
    threads = machine["kernel_threads"]
    kernels = f"kernels {machine['kernels']} on {threads} threads" if threads else f"no kernels ({machine['kernels']})"
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['widest_instructions']}; "
        f"{kernels}; {machine['blas']} ({machine['blas_core_type']}); Python {machine['python']}{libraries}"
    )


def busy_seconds() -> float | None:
    """Seconds that all cores together have worked since the machine started; None where /proc/stat is missing."""
    try:
        fields = Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()[1:9]
    except OSError:
        return None
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields)
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def processor_seconds(pid: int) -> float | None:
    """Processor seconds that a process has taken so far, to a hundredth; None where /proc does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _widest() -> str:
    try:
        flags = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\nflags")[2].split("\n", 1)[0].split())
    except OSError:
        return platform.machine()
    return next((name for flag, name in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if flag in flags), "no AVX2")


def _memory() -> int | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    except (ValueError, OSError):
        return None


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def peak(step: Callable[[], Any]) -> int | None:
    """The bytes by which `step` raises this process's resident memory at its highest; None where Linux is not to ask.

    What earlier steps freed goes back to the system first, or the step would take it again unseen; what the kernels
    keep for the next results counts as the step's.
    """
    try:
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forgets the highest value so far
        before = _resident("VmRSS") - memory.kept()
        kept = step()
        highest = _resident("VmHWM")
    except (OSError, AttributeError):
        return None
    del kept
    return highest - before


def _resident(field: str) -> int:
    """A line of /proc/self/status in bytes."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(text.partition(f"{field}:")[2].split()[0])


def require_kernels(mode: str) -> None:
    """An ImportError with the reason where `mode` is "require" and no compiled kernels are there to be timed."""
    reason = cpu.unavailable()
    if mode == "require" and reason is not None:
        raise ImportError(reason)


def require(name: str) -> Any:
    """The module, or an ImportError that says which extra brings it: a contender that is absent, not broken."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f"{name} is not installed: pip install 'twingrad[oracle]'") from error
