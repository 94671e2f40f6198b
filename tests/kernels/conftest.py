"""What the kernels' tests share."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def nvrtc():
    """NVIDIA's run-time compiler; tests that need it say where it was looked for."""
    from twingrad.kernels.cuda.nvrtc import NvrtcError, find

    try:
        return find()
    except NvrtcError as error:
        pytest.skip(str(error))
