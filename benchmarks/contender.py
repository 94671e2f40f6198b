"""The driver's side of a contender: its process, started with a clean environment and asked in lines of JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from types import TracebackType
from typing import Any

from twingrad.benchmarks import machine


class Worker:
    """A contender's process, which prepares itself meanwhile: `ready` waits for it.

    told: what it then said; absent: the reason why it cannot take part.
    """

    def __init__(self, module: str, contender: str, case: dict[str, Any]) -> None:
        self.contender = contender
        command = [sys.executable, "-P", "-m", "twingrad.benchmarks.worker"]
        self.process = subprocess.Popen(
            [*command, module, contender, json.dumps(case)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=machine.environment(),
        )
        self.told: dict[str, Any] = {}
        self.absent: str | None = None
        self.processor = 0.0

    def ready(self) -> None:
        """Wait until it can be asked, or has said why not."""
        self.told = self._answer()
        self.absent = self.told.get("absent")

    def ask(self, command: str) -> Any:
        """Send one command and wait for its answer."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended: its answer tells so
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.close()
            raise RuntimeError(f"the contender {self.contender!r} ended with status {self.process.returncode}")
        return json.loads(line)

    def close(self) -> None:
        """Let the process end, and wait for it; a minute later, kill it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            with suppress(BrokenPipeError):  # it ended without reading the last command
                self.process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=60)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
