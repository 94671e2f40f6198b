"""Code that nobody here wrote, differentiated unchanged: see other_code.py, which this runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from twingrad.xp.page import NUMPYS, OTHERS, REFUSED

pytestmark = pytest.mark.oracle
WORKING = [f"{module}.{name}" for module, names in OTHERS.items() for name in names.split()]
LEAVING = [f"{module}.{name}" for module, names in REFUSED.items() for name in names.split()]


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    for library in ("scipy", "array_api_extra"):
        pytest.importorskip(library, reason=f"{library} is differentiated here; it comes with the extra `oracle`")
    program = Path(__file__).with_name("other_code.py")
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True, timeout=120)
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("name", [*WORKING, "scipy.stats.entropy of two"])
def test_values_and_gradients(name: str, found: dict[str, Any]) -> None:
    assert found[name]["value"] <= 1e-15
    assert found[name]["gradient"] <= 1e-7


@pytest.mark.parametrize("name", [name for name in WORKING if name not in NUMPYS])
def test_the_same_with_another_device_beneath(name: str, found: dict[str, Any]) -> None:
    assert found[name]["device1"] <= 1e-14


@pytest.mark.parametrize("name", NUMPYS)
def test_what_does_not_work_there_refuses_plain_arrays_too(name: str, found: dict[str, Any]) -> None:
    assert found[name]["refused"]


@pytest.mark.parametrize("name", LEAVING)
def test_what_leaves_for_numpy_says_so(name: str, found: dict[str, Any]) -> None:
    assert "does not turn into a NumPy array" in found[name]["refused"]
