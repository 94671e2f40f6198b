"""What the kernels' tests share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from twingrad import devices

sys.path.insert(0, str(Path(__file__).parents[1]))


@pytest.fixture(scope="session")
def nvrtc():
    """NVIDIA's run-time compiler; tests that need it say where it was looked for."""
    from twingrad.kernels.cuda.nvrtc import NvrtcError, find

    try:
        return find()
    except NvrtcError as error:
        pytest.skip(str(error))


def pytest_runtest_setup(item):
    """A test marked `gpu` runs where a GPU works; elsewhere it says why not, or fails if TWINGRAD_REQUIRE_GPU is 1."""
    if item.get_closest_marker("gpu") is None:
        return
    reason = devices.probe().reason
    if reason is not None and os.environ.get("TWINGRAD_REQUIRE_GPU") == "1":
        pytest.fail(f"TWINGRAD_REQUIRE_GPU=1, and no GPU can be used: {reason}")
    if reason is not None:
        pytest.skip(f"no GPU can be used: {reason}")
