"""The command line: `twingrad train`, `evaluate`, `predict`, `info`."""

from twingrad.cli.main import main

__all__ = ["main"]
