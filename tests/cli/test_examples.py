"""The examples run as they stand."""

import re
import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_digits(capsys, monkeypatch):
    monkeypatch.setenv("TWINGRAD_DEVICE", "cpu")
    runpy.run_path(str(EXAMPLES / "digits.py"))
    out = capsys.readouterr().out
    assert float(re.search(r"test accuracy ([\d.]+)%", out)[1]) > 95
    assert float(re.search(r"steps of our own: ([\d.]+)", out)[1]) < 0.05


def test_table(capsys):
    with pytest.raises(SystemExit) as left:
        runpy.run_path(str(EXAMPLES / "table.py"))
    out = capsys.readouterr().out
    assert left.value.code == 0
    assert "the network sees city=Oslo, city=Rome, city=Łódź, kind=flat, kind=house, area" in out
    assert float(re.search(r"test: R2 ([\d.]+)", out)[1]) > 0.98
    in_python = [float(number) for number in re.search(r"predicted \[(.*?)\]", out)[1].split()]
    by_command = [float(number) for number in out.split("prediction\n")[1].split()]
    assert in_python == [round(number, 1) for number in by_command]


def test_diabetes_without_scikit_learn_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    for name in [name for name in sys.modules if name.startswith("sklearn.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(SystemExit, match=r"scikit-learn: pip install '\.\[oracle\]'"):
        runpy.run_path(str(EXAMPLES / "diabetes.py"))


@pytest.mark.oracle
def test_diabetes_within_five_percent_of_scikit_learn(capsys):
    pytest.importorskip("sklearn", reason="scikit-learn (extra `oracle`) is not installed")
    runpy.run_path(str(EXAMPLES / "diabetes.py"))
    ratio = float(re.search(r"ratio ([\d.]+)", capsys.readouterr().out)[1])
    assert 0.95 < ratio < 1.1
