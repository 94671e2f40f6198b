"""Which path the operations of a run took: fused kernels or the reference, and why."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager

from twingrad.fusable import PROVIDERS, fused_mode, fused_report
from twingrad.fusable.operation import STORAGE


@contextmanager
def path_taken() -> Iterator[list[str]]:
    """A list that holds one sentence when the block has ended: "fused", or what took the reference path and why."""
    said: list[str] = []
    before = _counts()
    try:
        yield said
    finally:
        said.append(_describe(before))


def _counts() -> dict[tuple[str, str, str], int]:
    return {(row["operation"], row["backend"], row["reason"]): row["count"] for row in fused_report()}


def _describe(before: dict[tuple[str, str, str], int]) -> str:
    if fused_mode() == "never":
        return 'reference (asked for by fused("never"))'
    reasons: dict[str, list[str]] = {}
    for (operation, backend, reason), count in _counts().items():
        if count > before.get((operation, backend, reason), 0):
            if backend in PROVIDERS and reason == importlib.import_module(PROVIDERS[backend]).unavailable():
                return f"reference ({reason})"
            reasons.setdefault(reason, []).append(operation)
    _join_bfloat16(reasons)
    parts = [f"{', '.join(operations)} by the reference ({reason})" for reason, operations in reasons.items()]
    return "; ".join(["fused", *parts])


def _join_bfloat16(reasons: dict[str, list[str]]) -> None:
    """Under precision "bf16" on a CPU every operation says that it has no kernel for that; say it once."""
    whole = next((reason for reason, operations in reasons.items() if set(operations) & set(STORAGE)), None)
    if whole is not None:
        for reason in [reason for reason in reasons if "bfloat16" in reason]:
            del reasons[reason]
        reasons[whole] = ["bf16"]
