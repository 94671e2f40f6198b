"""Finds the compiled library, the instruction set to use of it, and the BLAS inside NumPy's wheel."""

from __future__ import annotations

import ctypes
import importlib
import os
import sys
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from twingrad.devices import DeviceWarning
from twingrad.kernels.cpu import sources

FILE = Path(__file__).with_name("_kernels.so")
CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
LEVELS = {4: "v4", 3: "v3", 2: "v2", 1: "baseline"}
"""The instruction sets by the number that the library gives them: x86-64-v4, -v3, -v2, or another architecture's."""

MOST_THREADS = 256

GEMM = ("scipy_cblas_sgemm64_", "scipy_cblas_dgemm64_")
THREADS = ("scipy_openblas_set_num_threads64_", "scipy_openblas_get_num_threads64_")


_DATA = object.__basicsize__  # CPython objects begin with a header, and an ndarray's first field is its data pointer
_pointer = ctypes.c_ssize_t.from_address


def address(array: np.ndarray[Any, Any] | None) -> int:
    """The address of an array's first element, 0 for None: what `array.ctypes.data` gives, eight times as fast."""
    return 0 if array is None else _pointer(id(array) + _DATA).value


class VariableError(OSError):
    """A variable of the environment that asks for what there is not."""


class Library:
    """The loaded library with the instruction set chosen; raises OSError with the reason where there is none."""

    def __init__(self) -> None:
        _check_addresses()
        self.c = _load()
        self.isa = _choose(self.c.tg_level())
        self.blas = _connect_blas(self.c)
        self.c.tg_run.argtypes = [ctypes.c_char_p, ctypes.c_int64]
        self.c.tg_run.restype = None
        self.c.tg_run_one.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        self.c.tg_run_one.restype = None
        self.c.tg_set_objects.argtypes = [ctypes.c_int64, ctypes.c_int64]
        self.c.tg_set_objects(id(None), _DATA)
        self.c.tg_run_on_objects.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        self.c.tg_run_on_objects.restype = None
        self.c.tg_set_threads(_default_threads())

    def symbol(self, name: str, suffix: str) -> int:
        """The address of the kernel `name` for the dtype `suffix`, such as "f32", in the chosen instruction set."""
        function = getattr(self.c, f"tg_{name}_{suffix}_{self.isa}")
        return ctypes.cast(function, ctypes.c_void_p).value or 0


@cache
def find() -> Library | str:
    """The library, or the reason why there is none; a DeviceWarning tells it where a variable is to blame."""
    try:
        return Library()
    except VariableError as error:
        warnings.warn(f"the CPU kernels are off: {error}", DeviceWarning, stacklevel=4)
        return str(error)
    except OSError as error:
        return str(error)


def _check_addresses() -> None:
    probe = np.zeros(2)[1:]
    if sys.implementation.name != "cpython" or address(probe) != probe.ctypes.data:
        raise OSError(f"the CPU kernels find NumPy's data only under CPython, not {sys.implementation.name}")


def _load() -> ctypes.CDLL:
    if not FILE.exists():
        reason = FILE.with_suffix(".txt")
        detail = reason.read_text().strip() if reason.exists() else "install twingrad where there is a C++ compiler"
        raise OSError(f"the CPU kernels are not compiled: {detail}")
    library = ctypes.CDLL(str(FILE))
    _check_sources(library)
    return library


def _check_sources(library: ctypes.CDLL) -> None:
    """Refuse a library older or newer than the sources beside it: its arguments may have another layout."""
    named = getattr(library, "tg_sources", None)
    if named is not None:
        named.restype = ctypes.c_char_p
    if sources.files() and (named is None or named().decode() != sources.digest()):
        raise OSError(
            "the CPU kernels were compiled from other sources than those beside them: install twingrad again "
            "(in a checkout, `pip install -e .` or `python setup.py build_ext --inplace`)"
        )


def usable(best: int) -> list[str]:
    """The instruction sets that a processor of level `best` runs, the best first."""
    return [name for level, name in LEVELS.items() if level <= best and (best == 1 or level > 1)]


def _choose(best: int) -> str:
    """The processor's best instruction set, or the lesser one that TWINGRAD_ISA names."""
    names = usable(best)
    if not names:
        raise OSError("the CPU kernels need x86-64-v2 (SSE4.2), which this processor lacks")
    wanted = os.environ.get("TWINGRAD_ISA", names[0]).removeprefix("x86-64-")
    if wanted not in names:
        raise VariableError(
            f"TWINGRAD_ISA={wanted} is not an instruction set that runs here; these do: {', '.join(names)}"
        )
    return wanted


def _connect_blas(library: ctypes.CDLL) -> str | None:
    """Hand NumPy's own gemm to the library; None, or the reason why it cannot be. The lookup goes through NumPy's
    extension module, whose dependencies the system's loader searches."""
    numpy = ctypes.CDLL(str(importlib.import_module("numpy._core._multiarray_umath").__file__))
    functions = [getattr(numpy, name, None) for name in GEMM + THREADS]
    if None in functions:
        return f"NumPy {np.__version__} here has no OpenBLAS of its wheels ({GEMM[0]} is not found)"
    library.tg_set_blas(*(ctypes.cast(function, ctypes.c_void_p) for function in functions if function))
    return None


def _default_threads() -> int:
    """What the environment asks for, else the processors that this process may use."""
    ours = os.environ.get("TWINGRAD_NUM_THREADS", "").strip()
    if ours and not (ours.isdecimal() and 1 <= int(ours) <= MOST_THREADS):
        raise VariableError(f"TWINGRAD_NUM_THREADS={ours} is no number of threads: 1 to {MOST_THREADS}")
    for value in (ours, os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()):
        if value.isdecimal() and int(value) > 0:
            return min(int(value), MOST_THREADS)
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(usable, _quota()))


def _quota() -> int:
    """The processors of a container's quota: threads that spin beyond it would be stopped for whole periods."""
    try:
        time, period = CPU_QUOTA.read_text().split()
        return -(-int(time) // int(period))
    except (OSError, ValueError):  # no such file, or "max"
        return sys.maxsize
