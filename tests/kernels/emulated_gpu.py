"""A pytest plugin that puts the stand-in for CuPy where `import cupy` finds it, its kernels run by the host's compiler.

    PYTHONPATH=tests:tests/kernels python -m pytest -p emulated_gpu -m gpu tests/kernels

The tests marked `gpu` then run from end to end, on the host: this checks them and the framework's CUDA path, no GPU.
"""

from __future__ import annotations

import sys

import cuda_on_host

import fake_cublaslt
import fake_cupy


class Module:
    """`cupy.cuda.Module`: takes machine code for a GPU, and gives the same kernel compiled for the host."""

    def load(self, image: bytes) -> None:
        assert image[:4] == b"\x7fELF"

    def get_function(self, name: str) -> object:
        return cuda_on_host.function(name)


def pytest_configure(config: object) -> None:
    """Put the stand-in in place: not on import, which collecting this folder may do."""
    cupy = fake_cupy.make()
    cupy.cuda.Module = Module
    sys.modules |= fake_cupy.modules(cupy) | fake_cupy.nvmath(fake_cublaslt)
