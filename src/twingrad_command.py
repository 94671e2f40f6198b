"""The console script `twingrad`, beside the package: Ctrl-C while that is imported leaves in one line too."""

import os
import signal
import sys
from types import FrameType

__all__ = ["main"]


def main() -> int:
    """Import the package and run its command line."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # else whoever started this wants it ignored
        signal.signal(signal.SIGINT, _leave)
    from twingrad.cli import main as command

    signal.signal(signal.SIGINT, before)
    return command()


def _leave(number: int, frame: FrameType | None) -> None:
    print("twingrad: interrupted", file=sys.stderr, flush=True)
    os._exit(128 + number)  # an exception may be swallowed in the midst of an import
