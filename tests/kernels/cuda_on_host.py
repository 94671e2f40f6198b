"""Compiles the CUDA sources with the host's C++ compiler and runs a grid as loops."""

from __future__ import annotations

import ctypes
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from twingrad.kernels.cuda import build

SHIM = Path(__file__).parent / "grid.cpp"
OPTIONS = ("-std=c++17", "-O1", "-ffp-contract=off", "-fno-strict-aliasing", "-fPIC", "-shared")
C_TYPES = {
    np.int64: ctypes.c_int64,
    np.uint64: ctypes.c_uint64,
    np.float32: ctypes.c_float,
    np.float64: ctypes.c_double,
}


def compiler() -> str | None:
    """The host's C++ compiler, or None."""
    return shutil.which(os.environ.get("CXX", "")) or shutil.which("g++") or shutil.which("clang++")


@functools.cache
def library() -> ctypes.CDLL:
    """The kernels of all CUDA sources, for the host."""
    folder = tempfile.mkdtemp(prefix="twingrad-grid-")
    try:
        built = os.path.join(folder, "grid.so")
        includes = (f"-I{build.SOURCES}", f"-I{build.HEADERS}")
        subprocess.run([compiler(), *OPTIONS, *includes, str(SHIM), "-o", built], check=True)
        return ctypes.CDLL(built)
    finally:
        shutil.rmtree(folder)


def function(kernel: str) -> Any:
    """The kernel as CuPy would give it: called with (blocks,), (threads,) and the arguments."""
    get_address = getattr(library(), f"grid_{kernel}")
    get_address.restype = ctypes.c_void_p

    def run(grid: tuple[int], block: tuple[int], args: tuple[Any, ...]) -> None:
        kinds = [C_TYPES.get(type(a), ctypes.c_void_p) for a in args]
        values = [kind(a) if type(a) in C_TYPES else a.data.ptr for a, kind in zip(args, kinds, strict=True)]
        entry = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64, *kinds)(get_address())
        entry(grid[0], block[0], *values)

    return run
