"""The two paths of an operation."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from twingrad import fused

from kernels_here import no_kernels


@pytest.fixture(params=["never", "require"])
def path(request: pytest.FixtureRequest) -> Iterator[str]:
    """The reference path, then the compiled kernels: a test of this runs under each on NumPy arrays."""
    reason = no_kernels()
    if request.param == "require" and reason:
        pytest.skip(f"the fused path cannot run: {reason}")
    with fused(request.param):
        yield request.param
