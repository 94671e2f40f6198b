"""Compiles the CUDA sources with the host's C++ compiler and runs a grid as loops over blocks and fibers: grid.cpp."""

from __future__ import annotations

import atexit
import ctypes
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from twingrad import devices
from twingrad.kernels.cuda import build, launching, lt, overrides, products, tails, updates

import fake_cublaslt
import fake_cupy
import fake_streams

CUPY = fake_cupy.make()
SHIM = Path(__file__).parent / "grid.cpp"
MATH = ("-mfma",) if os.uname().machine == "x86_64" else ()
"""As on every GPU: without it, exponentials and logarithms round twice where a GPU rounds once."""
OPTIONS = ("-std=c++17", "-O1", "-ffp-contract=off", "-fno-strict-aliasing", "-fPIC", "-shared", *MATH)
C_TYPES = {
    np.int64: ctypes.c_int64,
    np.uint64: ctypes.c_uint64,
    np.float32: ctypes.c_float,
    np.float64: ctypes.c_double,
}
BUILT = "TWINGRAD_TEST_GRID"
"""The environment variable in which a test run tells the processes that it starts where the library is."""
ORDERS = (0, 1, 2)
"""Of the threads of a block: in turn and forwards; each warp as far as it gets, backwards; the same, shuffled."""


def compiler() -> str | None:
    """The host's C++ compiler, or None."""
    return shutil.which(os.environ.get("CXX", "")) or shutil.which("g++") or shutil.which("clang++")


@functools.cache
def library() -> ctypes.CDLL:
    """The kernels of all CUDA sources, for the host: built once, also for the processes that tests start."""
    if BUILT not in os.environ:
        folder = Path(tempfile.mkdtemp(prefix="twingrad-grid-"))
        atexit.register(shutil.rmtree, folder)
        os.environ[BUILT] = str(_built(folder, SHIM.read_text(encoding="utf-8")))
    return ctypes.CDLL(os.environ[BUILT])


def built_with(source: str, kernel: str) -> ctypes.CDLL:
    """A library of one more CUDA source, given as text, with one kernel."""
    folder = Path(tempfile.mkdtemp(prefix="twingrad-grid-"))
    try:
        shim = SHIM.read_text(encoding="utf-8").replace('#include "entries.inc"', f"ENTRY({kernel})")
        (folder / "one.cu").write_text(source, encoding="utf-8")
        return ctypes.CDLL(str(_compiled(folder, shim.replace('"sources.inc"', '"one.cu"'))))
    finally:
        shutil.rmtree(folder)


def _built(folder: Path, shim: str) -> Path:
    """The library, whose list of kernels is what the preprocessor leaves of the sources."""
    (folder / "sources.inc").write_text("".join(f'#include "{name}.cu"\n' for name in build.names()), encoding="utf-8")
    head = shim.partition('#include "sources.inc"')[0] + '#include "sources.inc"\n'
    command = [str(compiler()), "-E", "-P", "-x", "c++", "-std=c++17", f"-I{folder}", *_includes(), "-"]
    text = subprocess.run(command, input=head, capture_output=True, text=True, check=True).stdout
    kernels = re.findall(r'extern "C"\s+void\s+(\w+)\s*\(', text)
    (folder / "entries.inc").write_text("".join(f"ENTRY({name})\n" for name in kernels), encoding="utf-8")
    return _compiled(folder, shim)


def _compiled(folder: Path, shim: str) -> Path:
    (folder / "grid.cpp").write_text(shim, encoding="utf-8")
    command = [str(compiler()), *OPTIONS, f"-I{folder}", *_includes(), str(folder / "grid.cpp")]
    subprocess.run([*command, "-o", str(folder / "grid.so")], check=True)
    return folder / "grid.so"


def _includes() -> tuple[str, str]:
    return f"-I{build.SOURCES}", f"-I{build.HEADERS}"


def function(kernel: str, of: ctypes.CDLL | None = None) -> Any:
    """The kernel as CuPy would give it: called with (blocks,), (threads,) and the arguments."""
    given = library() if of is None else of
    get_address = getattr(given, f"grid_{kernel}")
    get_address.restype = ctypes.c_void_p

    def run(grid: tuple[int], block: tuple[int], args: tuple[Any, ...]) -> None:
        kinds = [C_TYPES.get(type(a), ctypes.c_void_p) for a in args]
        entry = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64, *kinds)(get_address())
        values = [_value(a, kind) for a, kind in zip(args, kinds, strict=True)]
        fake_streams.queue(lambda: check(entry(grid[0], block[0], *values)))

    def check(_: None) -> None:
        assert faults(given) == 0, f"{kernel}: threads wait at a barrier that others never reach"

    return run


def stand_in(monkeypatch: Any, processors: int = 1, *, cublaslt: bool = True) -> Any:
    """CuPy of NumPy arrays, whose kernels run on the host in blocks for a GPU of so many processors; with the stand-in
    for cublasLt, or without any.
    """
    packages = fake_cupy.modules(CUPY) | fake_cupy.nvmath(fake_cublaslt if cublaslt else None)
    for name, module in packages.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(devices, "probe", lambda index=0: devices.Probe(None, True))
    monkeypatch.setattr(overrides, "unavailable", lambda: None)
    monkeypatch.setattr(launching, "why_not", lambda source, gpu: None)
    monkeypatch.setattr(launching, "_function", lambda source, kernel, gpu: function(kernel))
    monkeypatch.setattr(launching, "_processors", lambda gpu: processors)
    for kept in (tails.zero, updates.uploaded, lt.unavailable, lt._plan, lt._handle, products.fused):
        kept.cache_clear()
    fake_cublaslt.refused.clear()
    fake_cublaslt.calls.clear()
    return CUPY


def _value(argument: Any, kind: Any) -> Any:
    if kind is ctypes.c_void_p:
        return None if argument is None else argument.data.ptr
    return kind(argument)


def set_order(order: int) -> None:
    """Which of ORDERS threads run in, from now on."""
    library().grid_order(order)


def faults(of: ctypes.CDLL) -> int:
    """Threads so far that waited for ever."""
    of.grid_faults.restype = ctypes.c_int64
    return int(of.grid_faults())


def barriers() -> int:
    """Barriers so far that were passed, of blocks and of warps."""
    library().grid_barriers.restype = ctypes.c_int64
    return int(library().grid_barriers())
