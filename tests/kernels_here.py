"""Whether the compiled kernels can run where the tests run."""

from __future__ import annotations

from twingrad.kernels import cpu


def no_kernels() -> str | None:
    """Why the compiled CPU kernels cannot all run here, or None."""
    return cpu.unavailable() or cpu.blas()
