"""The result of a claim as Markdown."""

from __future__ import annotations

from typing import Any

from twingrad.benchmarks import machine

HEAD = "| stated | mean over seeds | 95% interval | seeds that agree | verdict |\n| --- | ---: | --- | ---: | --- |"


def markdown(result: dict[str, Any], short: bool = False) -> str:
    """The claim, then a row for each statement with its interval and verdict. short: without the machine."""
    lines, n = [HEAD], len(result["seeds"])
    for each in result["statements"]:
        numbers = [
            f"{each['mean']:.4g}",
            f"{each['low']:.4g} to {each['high']:.4g}",
            f"{each['seeds_that_agree']} of {n}",
        ]
        lines.append(f"| {' | '.join([each['states'], *numbers, each['verdict']])} |")
    failed = [f"Failed: seed {seed}: {reason}" for seed, reason in result["failed"].items()]
    parts = [f"{result['claim']}", "\n".join(lines), *failed]
    if not short:
        parts.append(f"{machine.line(result['machine'])}; {result['seconds']:.0f} s on one thread.")
    return "\n\n".join(parts) + "\n"
