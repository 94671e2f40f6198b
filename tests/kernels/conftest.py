"""What the kernels' tests share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))


@pytest.fixture(scope="session")
def nvrtc():
    """NVIDIA's run-time compiler; tests that need it say where it was looked for."""
    from twingrad.kernels.cuda.nvrtc import NvrtcError, find

    try:
        return find()
    except NvrtcError as error:
        pytest.skip(str(error))
