"""The examples run as they stand."""

import re
import runpy
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_digits(capsys, monkeypatch):
    monkeypatch.setenv("TWINGRAD_DEVICE", "cpu")
    runpy.run_path(str(EXAMPLES / "digits.py"))
    out = capsys.readouterr().out
    assert float(re.search(r"test accuracy ([\d.]+)%", out)[1]) > 95
    assert float(re.search(r"steps of our own: ([\d.]+)", out)[1]) < 0.05
