"""The command line: `twingrad train`, `tune`, `evaluate`, `predict`, `gradcheck`, `bench`, `info`, `cache`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: see `twingrad.cli.command.execute`.

    Ctrl-C while that is imported leaves in one line, as it does later.
    """
    try:
        from twingrad.cli.command import execute

        return execute(argv)
    except KeyboardInterrupt:
        print("twingrad: interrupted", file=sys.stderr)
        return 130
