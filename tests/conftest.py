"""What all tests share: the libraries to run over, and why GPU tests do not run."""

from __future__ import annotations

import os
import signal

import hypothesis
import pytest

from twingrad import devices

from libraries import LIBRARIES, Library

os.environ.setdefault("TWINGRAD_DEVICE", "cpu")
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may start what runs in the background without it

# The same examples in every run, however slow the machine; `pytest --hypothesis-profile search` draws others, and more.
PATIENT = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("same", derandomize=True, **PATIENT)
hypothesis.settings.register_profile("search", max_examples=1000, **PATIENT)
hypothesis.settings.load_profile("same")


@pytest.fixture(params=LIBRARIES, ids=repr)
def library(request: pytest.FixtureRequest) -> Library:
    """Each library in turn: NumPy, NumPy with read-only inputs, array-api-strict on two devices."""
    return request.param  # type: ignore[no-any-return]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test marked `gpu` runs where a GPU works; elsewhere it says why not, or fails if TWINGRAD_REQUIRE_GPU is 1."""
    if item.get_closest_marker("gpu") is None:
        return
    reason = devices.probe().reason
    if reason is not None and os.environ.get("TWINGRAD_REQUIRE_GPU") == "1":
        pytest.fail(f"TWINGRAD_REQUIRE_GPU=1, and no GPU can be used: {reason}")
    if reason is not None:
        pytest.skip(f"no GPU can be used: {reason}")
