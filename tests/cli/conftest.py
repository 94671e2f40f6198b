"""The command in a process of its own, and in this one."""

import os
import subprocess
import sys

import pytest

from twingrad.cli import main

from processes import PATIENCE


@pytest.fixture(scope="session")
def quick():
    """Options of `train` for a run of a fraction of a second."""
    return ("--epochs", "2", "--hidden", "16", "--device", "cpu")


@pytest.fixture(scope="session")
def twingrad():
    """Run `python -m twingrad ...` and return the finished process."""

    def run(*arguments, cwd, check=0, **environment):
        done = subprocess.run(
            [sys.executable, "-m", "twingrad", *map(str, arguments)],
            cwd=cwd,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == check, done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Call `main` in an empty folder; returns exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run
