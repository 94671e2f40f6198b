"""The command line: `twingrad train`, `twingrad info`."""

from twingrad.cli.main import main

__all__ = ["main"]
