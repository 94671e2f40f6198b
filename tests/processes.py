"""Processes that tests start: they and their pipes are gone when the test ends, whatever became of it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

PATIENCE = 300.0
"""Seconds after which something is taken to hang: far more than anything here needs on the slowest machine."""


@contextmanager
def running(command: list[Any], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process with text pipes, killed at the end of the block if it is still there."""
    with subprocess.Popen(list(map(str, command)), text=True, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    """Wait until `condition()`; fail where `process` ends without it, or nothing happens within PATIENCE."""
    end = time.monotonic() + PATIENCE
    while not condition():
        gone = process is not None and process.poll() is not None
        assert not gone or condition(), f"the process ended with {process and process.returncode} before it happened"
        assert time.monotonic() < end, f"it did not happen within {PATIENCE:.0f} seconds"
        time.sleep(0.01)
