"""Results as tables: what a benchmark prints, and what the pages quote.

python -m twingrad.benchmarks.report RESULT.json ...        # print their tables
python -m twingrad.benchmarks.report --update PAGE.md ...   # rewrite their tables from the folder benchmarks/results
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from twingrad.benchmarks import machine

UNKNOWN = "the load of other programs is unknown"
MARKED = re.compile(r"(<!-- results/(?P<name>[\w-]+\.json) -->\n).*?(<!-- end -->)", re.DOTALL)


def markdown(result: dict[str, Any]) -> str:
    """The result of `driver.run` as Markdown: a table for each case, the machine and the load below."""
    if "seconds_an_epoch" in result:
        return epochs(result)
    effort = result["effort"]
    if result.get("layout") == "rows":
        parts = [rows(result)]
    else:
        parts = [table(case, result["base"]) for case in result["cases"]]
    rounds = f"{effort['rounds']} interleaved rounds of {effort['seconds']} s for each contender"
    return "\n\n".join([*parts, f"{machine.line(result['machine'])}. {rounds}.\n"])


def epochs(result: dict[str, Any]) -> str:
    """The result of `fashion_mnist`: what the command reaches, and seconds an epoch."""
    found = result["seconds_an_epoch"]
    base = next(iter(found.values()))["median"]
    lines = [_row(["contender", "median s an epoch", "rounds", "times"]), _row(["---"] + ["---:"] * 3)]
    for who, its in found.items():
        spread = f"{min(its['rounds']):.2f} to {max(its['rounds']):.2f}"
        lines.append(_row([who, f"{its['median']:.2f}", spread, f"{its['median'] / base:.2f}"]))
    told = (
        f"`{result['command']}`: {result['test_accuracy']:.2%} of the test images, with the parameters of epoch "
        f"{result['best_epoch']}, the best on the dev part ({result['dev_accuracy']:.2%})."
    )
    where = f"{machine.line(result['machine'])}.\n" if "machine" in result else ""
    return "\n".join([*lines, "", told, where]).rstrip("\n") + "\n"


def table(case: dict[str, Any], base: str) -> str:
    """One case: median, quartiles, bytes per second where the traffic is known, and the ratio to the base."""
    rows = case["contenders"]
    traffic = any(row["traffic"] for row in rows)
    head = ["contender", "median ms", "quartiles ms", *(["GB/s"] if traffic else []), f"times {base}"]
    lines = [f"**{case['case']}**", "", _row(head), _row(["---"] + ["---:"] * (len(head) - 1))]
    for row in rows:
        low, high = row["quartiles_ms"]
        speed = [f"{row['traffic'] / row['median_ms'] / 1e6:.1f}"] if traffic else []
        ratio = f"{row['times_base']:.2f}" if "times_base" in row else ""
        name = f"{row['contender']} ({row['path']})" if row["path"] else row["contender"]
        lines.append(_row([name, _ms(row["median_ms"]), f"{_ms(low)} to {_ms(high)}", *speed, ratio]))
    lines += [_row([who, "absent", reason, *([""] if traffic else []), ""]) for who, reason in case["absent"].items()]
    return "\n".join([*lines, "", f"Beside it, {_load(case)}."])


def rows(result: dict[str, Any]) -> str:
    """All cases in one table: the base's time and bytes per second, the copy's, and the others' times and ratios."""
    cases, base = result["cases"], result["base"]
    names = [row["contender"] for case in cases for row in case["contenders"]]
    others = [name for name in dict.fromkeys(names) if name not in (base, "copy")]
    lines = [_row([result["workload"], f"{base} ms", "GB/s", "copy GB/s", *(f"{name} ms (times)" for name in others)])]
    lines.append(_row(["---"] + ["---:"] * (3 + len(others))))
    for case in cases:
        found = {row["contender"]: row for row in case["contenders"]}
        own = [_ms(found[base]["median_ms"]) if base in found else "absent", _speed(found, base), _speed(found, "copy")]
        name = f"{case['case']} \\*" if _disturbed(case, result["effort"]) else case["case"]
        lines.append(_row([name, *own, *(_beside(found.get(name)) for name in others)]))
    reasons = {f"{who}: {reason}" for case in cases for who, reason in case["absent"].items()}
    absent = [f"Absent: {reason}." for reason in sorted(reasons)]
    loads = [case["others_kept_busy_cores"] for case in cases if case["others_kept_busy_cores"] is not None]
    repeated = sum(case["rounds_repeated"] for case in cases)
    busy = (
        f"other programs kept at most {max(loads)} cores busy, {median(loads):.2f} in the median case" if loads else ""
    )
    told = f"Beside it, {busy or UNKNOWN}; {repeated} busier rounds were repeated."
    if any(_disturbed(case, result["effort"]) for case in cases):
        told += f" \\* beside more than {result['effort']['quiet']} busy cores: times and ratios are rough."
    return "\n".join([*lines, "", *absent, told])


def _disturbed(case: dict[str, Any], effort: dict[str, Any]) -> bool:
    """Whether other programs were busy even in the rounds that were kept."""
    return bool((case["others_kept_busy_cores"] or 0) > effort["quiet"])


def _speed(found: dict[str, Any], who: str) -> str:
    row = found.get(who)
    return f"{row['traffic'] / row['median_ms'] / 1e6:.1f}" if row and row["traffic"] else ""


def _beside(row: dict[str, Any] | None) -> str:
    if row is None:
        return "absent"
    return _ms(row["median_ms"]) + (f" ({row['times_base']:.2f})" if "times_base" in row else "")


def updated(text: str, results: Path) -> str:
    """`text` with the tables between its markers made anew from the files in `results`."""

    def fresh(match: re.Match[str]) -> str:
        result = json.loads((results / match["name"]).read_text(encoding="utf-8"))
        return f"{match[1]}{markdown(result)}{match[3]}"

    return MARKED.sub(fresh, text)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m twingrad.benchmarks.report", description=__doc__)
    parser.add_argument("results", nargs="*", type=Path)
    parser.add_argument("--update", nargs="+", type=Path, metavar="PAGE.md", default=[])
    parser.add_argument("--from", dest="folder", type=Path, default=Path("benchmarks/results"), metavar="FOLDER")
    options = parser.parse_args(argv)
    for path in options.results:
        print(markdown(json.loads(path.read_text(encoding="utf-8"))))
    for page in options.update:
        page.write_text(updated(page.read_text(encoding="utf-8"), options.folder), encoding="utf-8")
    return 0


def _load(case: dict[str, Any]) -> str:
    others, repeated = case["others_kept_busy_cores"], case["rounds_repeated"]
    busy = UNKNOWN if others is None else f"other programs kept {others} cores busy"
    return f"{busy}; {repeated} busier rounds were repeated" if repeated else busy


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _ms(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


if __name__ == "__main__":
    raise SystemExit(main())
