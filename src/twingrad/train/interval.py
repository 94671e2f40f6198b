"""How often a run saves itself: every so many steps, or seconds."""

from __future__ import annotations

import re
import time

UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}


class Interval:
    """Every n steps ("500" or 500), or seconds, minutes, hours ("30s", "10min", "1h"); None or "never" for never.

    >>> Interval(100).due(200), Interval("1h").due(200)
    (True, False)
    """

    def __init__(self, every: int | str | None) -> None:
        self.steps, self.seconds = _parsed(every)
        self.since = time.monotonic()

    def due(self, step: int) -> bool:
        """Whether it is time, after so many steps."""
        if self.steps:
            return step % self.steps == 0
        return self.seconds is not None and time.monotonic() - self.since >= self.seconds

    def restart(self) -> None:
        """Count the seconds from now."""
        self.since = time.monotonic()


def _parsed(every: int | str | None) -> tuple[int, float | None]:
    if every is None or every == "never":
        return 0, None
    found = re.fullmatch(r"(\d+)(s|min|h)?", str(every))
    if isinstance(every, bool) or not found or int(found[1]) < 1:
        raise ValueError(f'an interval is a number of steps from 1, or a time like "30s", "10min", "1h"; got {every!r}')
    return (0, int(found[1]) * UNITS[found[2]]) if found[2] else (int(found[1]), None)
