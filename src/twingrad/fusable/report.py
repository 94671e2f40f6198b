"""Why operations took the reference path, or a slower one than they could, under "auto"."""

from __future__ import annotations

from collections import Counter
from typing import Any

_refusals: Counter[tuple[str, str, str]] = Counter()


def note(operation: str, backend: str, reason: str) -> None:
    """Have `fused_report` tell why an operation takes a slower path than it could, as a kernel found out."""
    _refusals[operation, backend, reason] += 1


def fused_report() -> list[dict[str, Any]]:
    """Each reason why an operation took the reference path under "auto", or a slower one than it could: operation,
    backend, reason and count.
    """
    return [
        {"operation": operation, "backend": backend, "reason": reason, "count": count}
        for (operation, backend, reason), count in sorted(_refusals.items())
    ]


def clear_fused_report() -> None:
    """Forget the refusals counted so far."""
    _refusals.clear()
