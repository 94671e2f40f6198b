"""Which path the operations of a run took: fused kernels or the reference, and why."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from twingrad.fusable import fused_mode, fused_report


@contextmanager
def path_taken() -> Iterator[list[str]]:
    """A list that holds one sentence when the block has ended: "fused", or what took the reference path and why."""
    said: list[str] = []
    before = _counts()
    try:
        yield said
    finally:
        said.append(_describe(before))


def _counts() -> dict[tuple[str, str], int]:
    return {(row["operation"], row["reason"]): row["count"] for row in fused_report()}


def _describe(before: dict[tuple[str, str], int]) -> str:
    if fused_mode() == "never":
        return 'reference (asked for by fused("never"))'
    reasons: dict[str, list[str]] = {}
    for (operation, reason), count in _counts().items():
        if count > before.get((operation, reason), 0):
            reasons.setdefault(reason, []).append(operation)
    if not reasons:
        return "fused"
    if len(reasons) == 1 and "not installed" in next(iter(reasons)):
        return f"reference ({next(iter(reasons))})"
    return "fused, but " + "; ".join(f"{', '.join(names)} reference ({reason})" for reason, names in reasons.items())
