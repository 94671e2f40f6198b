"""Examples run as they stand, in an empty folder; what they print is read."""

import re
import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def printed(tmp_path, monkeypatch, capsys):
    """Run an example by name as a program, or its `main` with arguments that make it shorter; what it prints, the names
    of its pictures among it.
    """

    def run(name, **shorter):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("TWINGRAD_DEVICE", "cpu")
        found = runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name=name if shorter else "__main__")
        if shorter:
            found["main"](**shorter)
        out = capsys.readouterr().out
        for picture in tmp_path.glob("*.png"):
            assert f"picture: {picture.name}\n" in out
        return out

    return run


@pytest.fixture
def example():
    """What an example defines, by name, without running it."""
    return lambda name: runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name=name)


@pytest.fixture
def measure(example):
    """`measure` of an example: what a claim about it runs for each seed."""
    return lambda name: example(name)["measure"]


@pytest.fixture
def number():
    """The number in a text that a pattern's first group takes."""
    return lambda pattern, text: float(re.search(pattern, text)[1])
