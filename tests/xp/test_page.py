"""The page of differentiable functions is what the tables say; the conformance list and its figures are in order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from twingrad import xp
from twingrad.xp import page
from twingrad.xp.composed import compositions
from twingrad.xp.notes import NOTES, find
from twingrad.xp.primitive import primitives

ROOT = Path(__file__).parents[2]
LIST = (ROOT / "tests/conformance/expected_failures.txt").read_text().splitlines()
FIGURES: dict[str, Any] = json.loads((ROOT / "tests/conformance/figures.json").read_text())


def test_the_page_is_current(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert page.PAGE.read_text() == page.current(), "run python -m twingrad.xp.page"


def test_the_page_has_every_function() -> None:
    text = (ROOT / page.PAGE).read_text()
    created = {n for n in xp.__all__ if not callable(getattr(xp, n)) or n.startswith(("__", "asarray", "from_dlpack"))}
    names = [n for n in xp.__all__ if n not in created and not isinstance(getattr(xp, n), type)]
    told = ("arange", "empty", "eye", "full", "linspace", "ones", "zeros")
    asked = ("finfo", "iinfo", "isdtype", "result_type", "can_cast")
    missing = [n for n in names if f"`{n}`" not in text and not n.startswith((*told, *asked))]
    assert missing == []
    for extension in (xp.linalg, xp.fft):
        name = extension.__name__.rpartition(".")[2]
        inside = [n for n in extension.__all__ if not n.endswith("freq") and not hasattr(xp, n)]
        assert [n for n in inside if f"`{name}.{n}`" not in text] == []


@pytest.mark.parametrize("path", sorted(NOTES))
def test_a_note_is_of_a_differentiable_function_and_in_its_docstring(path: str) -> None:
    assert path in {*primitives, *compositions}
    assert NOTES[path] in " ".join(find(xp, path).__doc__.split())


def test_each_expected_failure_has_a_reason() -> None:
    blocks = "\n".join(LIST).split("\n\n")
    assert all(block.startswith("# ") for block in blocks)
    tests = [line for line in LIST if line and not line.startswith("#")]
    assert tests == list(dict.fromkeys(tests))
    assert all(line.startswith("array_api_tests/test_") and "::" in line for line in tests)


def test_the_figures_are_of_runs_without_an_unexpected_failure() -> None:
    assert [run["max_examples"] for run in FIGURES["runs"]] == [2, 100]
    for run in FIGURES["runs"]:
        assert run["not expected"] == 0
        assert run["twingrad.xp"]["failed"] <= run["array_api_compat.numpy"]["failed"]
