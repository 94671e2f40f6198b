"""C++ sources beside the benchmarks, compiled when they are measured."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from twingrad.kernels import cpu

FLAGS = ("-O3", "-std=c++17", "-shared", "-fPIC", "-w", "-mprefer-vector-width=512")

integer = ctypes.c_int64


def library(source: str, *flags: str) -> ctypes.CDLL:
    """The library of one source file; ImportError where there is no C++ compiler, or it fails."""
    named = os.environ.get("CXX", "").split()
    found = [command for command in ([named] if named else [["g++"], ["c++"], ["clang++"]]) if shutil.which(command[0])]
    if not found:
        raise ImportError(f"no C++ compiler to build {source}")
    include = Path(cpu.__file__).parents[1]  # kernels/, wherever it is installed
    text = Path(__file__).with_name(source).read_text(encoding="utf-8").replace('"../kernels/', f'"{include}/')
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder, "built.so")
        command = [*found[0], *FLAGS, *flags, "-x", "c++", "-", "-o", str(built)]
        done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
        if done.returncode:
            raise ImportError(f"{found[0][0]} cannot build {source}: {done.stderr.strip().partition(chr(10))[0]}")
        return ctypes.CDLL(str(built))


def pointer(array: Any) -> ctypes.c_void_p:
    """Where an array's elements begin."""
    return ctypes.c_void_p(array.ctypes.data)
