"""Results as tables: what a benchmark prints, and what the pages quote.

python -m twingrad.benchmarks.report RESULT.json ...        # print their tables
python -m twingrad.benchmarks.report --update PAGE.md ...   # rewrite their tables from the folder benchmarks/results
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from twingrad.benchmarks import fidelity_table, gpu_table, machine
from twingrad.benchmarks.claims import table as table_of_claims

UNKNOWN = "the load of other programs is unknown"
MARKED = re.compile(
    r"(<!-- results/(?P<name>(?:claims/)?[\w-]+\.json)(?P<short> in short)? -->\n).*?(?P<end><!-- end -->)", re.DOTALL
)

OF_GPU = re.compile(r"(<!-- results of gpu_check.sh -->\n).*?(<!-- end -->)", re.DOTALL)


def markdown(result: dict[str, Any], short: bool = False) -> str:
    """The result of `driver.run` as Markdown: a table for each case, the targets, the machine and the load below.

    short: without the targets, and the epochs of `fashion_mnist` in words.
    """
    if "seconds_an_epoch" in result:
        return in_words(result) if short else epochs(result)
    if "statements" in result:
        return table_of_claims.markdown(result, short)
    if "columns" in result:
        return fidelity_table.markdown(result)
    effort = result["effort"]
    if result.get("layout") == "rows":
        parts = [rows(result)]
    else:
        parts = [table(case, result["base"]) for case in result["cases"]]
    found = "" if short else targets(result)
    rounds = f"{effort['rounds']} interleaved rounds of {effort['seconds']} s for each contender"
    failed = "\n".join(f"Failed: {case}: {reason}." for case, reason in result.get("failed", {}).items())
    return "\n\n".join([*parts, *filter(None, (found, failed)), f"{machine.line(result['machine'])}. {rounds}.\n"])


def targets(result: dict[str, Any]) -> str:
    """What is aimed at, and what was reached: how many times the base's time a contender takes.

    A case's targets stand under the beginning of a contender's name; of several contenders the quickest counts.
    """
    lines = []
    for case in result["cases"]:
        for who, target in case.get("targets", {}).items():
            seen = [row.get("times_base") for row in case["contenders"] if row["contender"].startswith(who)]
            ratio = min((one for one in seen if one is not None), default=None)
            told = "not measured" if ratio is None else f"{ratio:.2f}" + _missed(ratio, target)
            lines.append(_row([case["case"], who, f"{target:g}", told]))
    head = _row(["target", f"times {result['base']}, of", "at least", "reached"])
    return "\n".join([head, _row(["---", "---", "---:", "---:"]), *lines]) if lines else ""


def _missed(ratio: float, target: float) -> str:
    return f" (missed by {1 - ratio / target:.0%})" if ratio < target else ""


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
    where = ["", f"{machine.line(result['machine'])}."] if "machine" in result else []
    return "\n".join([*lines, "", told, *where, ""])


def in_words(result: dict[str, Any]) -> str:
    """The main figures of `fashion_mnist`."""
    times = [f"{its['median']:.2f} s in {who}" for who, its in result["seconds_an_epoch"].items()]
    return (
        f"An epoch of Fashion-MNIST, with loss and accuracy after it, takes {', '.join(times)}; "
        f"the command above gets {result['test_accuracy']:.2%} of the test images right.\n"
    )


def table(case: dict[str, Any], base: str) -> str:
    """One case: median, quartiles, the ratio to the base; bytes per second and peak memory where they are known."""
    columns = COLUMNS | {f"times {base}": COLUMNS["times"]}
    del columns["times"]
    given = {head: [cell(row) for row in case["contenders"]] for head, cell in columns.items()}
    given = {head: cells for head, cells in given.items() if any(cells)}
    lines = [f"**{case['case']}**", "", _row(list(given)), _row(["---"] + ["---:"] * (len(given) - 1))]
    lines += map(_row, zip(*given.values(), strict=True))
    lines += [_row([who, "absent", reason, *[""] * (len(given) - 3)]) for who, reason in case["absent"].items()]
    return "\n".join([*lines, "", f"Beside it, {_load(case)}."])


def rows(result: dict[str, Any]) -> str:
    """All cases in one table: the base's time and bytes per second, the copy's, and the others' times and ratios."""
    cases, base = result["cases"], result["base"]
    names = [row["contender"] for case in cases for row in case["contenders"]]
    others = [name for name in dict.fromkeys(names) if name not in (base, "copy")]
    traffic = any(row["traffic"] for case in cases for row in case["contenders"])
    speeds = ["GB/s", "copy GB/s"] if traffic else []
    lines = [_row([result["workload"], f"{base} ms", *speeds, *(f"{name} ms (times)" for name in others)])]
    lines.append(_row(["---"] + ["---:"] * (1 + len(speeds) + len(others))))
    for case in cases:
        found = {row["contender"]: row for row in case["contenders"]}
        own = [_ms(found[base]["median_ms"]) if base in found else "absent"]
        own += [_speed(found.get(who)) for who in (base, "copy")] if traffic else []
        name = f"{case['case']} \\*" if _disturbed(case, result["effort"]) else case["case"]
        lines.append(_row([name, *own, *(_beside(found.get(name)) for name in others)]))
    return "\n".join([*lines, "", *_absent(cases), _loads(cases, result["effort"])])


def _absent(cases: Sequence[dict[str, Any]]) -> list[str]:
    reasons = {f"{who}: {reason}" for case in cases for who, reason in case["absent"].items()}
    return [f"Absent: {reason}." for reason in sorted(reasons)]


def _loads(cases: Sequence[dict[str, Any]], effort: dict[str, Any]) -> str:
    """How busy other programs were beside all the cases."""
    loads = [case["others_kept_busy_cores"] for case in cases if case["others_kept_busy_cores"] is not None]
    busy = UNKNOWN
    if loads:
        busy = f"other programs kept at most {max(loads)} cores busy, {median(loads):.2f} in the median case"
    repeated = sum(case["rounds_repeated"] for case in cases)
    told = f"Beside it, {busy}; {repeated} busier rounds were repeated."
    if any(_disturbed(case, effort) for case in cases):
        told += f" \\* beside more than {effort['quiet']} busy cores: times and ratios are rough."
    return told


def _disturbed(case: dict[str, Any], effort: dict[str, Any]) -> bool:
    """Whether other programs were busy even in the rounds that were kept."""
    return bool((case["others_kept_busy_cores"] or 0) > effort["quiet"])


def _speed(row: dict[str, Any] | None) -> str:
    return f"{row['traffic'] / row['median_ms'] / 1e6:.1f}" if row and row["traffic"] else ""


def _ratio(row: dict[str, Any]) -> str:
    return f"{row['times_base']:.2f}" if "times_base" in row else ""


def _spread(row: dict[str, Any]) -> str:
    low, high = row["quartiles_ms"]
    return f"{_ms(low)} to {_ms(high)}"


def _memory(row: dict[str, Any]) -> str:
    return f"{row['peak_bytes'] / 2**20:.0f}" if row.get("peak_bytes") is not None else ""


COLUMNS: dict[str, Callable[[dict[str, Any]], str]] = {
    "contender": lambda row: f"{row['contender']} ({row['path']})" if row["path"] else str(row["contender"]),
    "median ms": lambda row: _ms(row["median_ms"]),
    "quartiles ms": _spread,
    "GB/s": _speed,
    "peak MiB": _memory,
    "times": _ratio,
}
"""Of a case's table; those that are empty are left out."""


def _beside(row: dict[str, Any] | None) -> str:
    if row is None:
        return "absent"
    return _ms(row["median_ms"]) + (f" ({row['times_base']:.2f})" if "times_base" in row else "")


def updated(text: str, results: Path) -> str:
    """`text` with what stands between its markers made anew from the files in `results`."""

    def fresh(match: re.Match[str]) -> str:
        file = results / match["name"]
        if not file.exists():
            return f"{match[1]}Not measured so far.\n{match['end']}"
        result = json.loads(file.read_text(encoding="utf-8"))
        return f"{match[1]}{markdown(result, bool(match['short']))}{match['end']}"

    of_gpu = OF_GPU.sub(lambda match: f"{match[1]}{gpu_table.markdown(results)}{match[2]}", text)
    return MARKED.sub(fresh, of_gpu)


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
