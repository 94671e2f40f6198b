"""The last part of gpu_check.sh: what the parts left in a folder becomes one JSON.

    python benchmarks/gpu_report.py WORK yes|no OUT      # whether there is a GPU; OUT may be empty

Needs nothing but Python, and takes whatever is missing as missing.
"""

from __future__ import annotations

import datetime
import json
import platform
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

RESULTS = Path("benchmarks/results")
TIMED = ("adam", "dropout", "optimizers", "kernels")
KEPT = ("median", "iqr", "min", "max", "rounds")


def machine() -> str:
    """The GPUs, the system and the Python in one line."""
    fields = "name,compute_cap,memory.total,driver_version"
    command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"]
    try:
        gpus = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
    except (OSError, subprocess.SubprocessError) as error:
        gpus = f"nvidia-smi tells nothing: {error}"
    return f"{gpus.replace(chr(10), ' | ')}; {platform.platform()}; Python {platform.python_version()}"


def outcome(work: Path, name: str) -> dict[str, Any]:
    """A part's exit status (-1: not run) and seconds; where it did not pass, the end of its output."""
    status, seconds = map(int, (work / f"{name}.status").read_text().split())
    found: dict[str, Any] = {"status": status, "seconds": seconds}
    return found if status == 0 else found | {"output": (work / f"{name}.log").read_text(errors="replace")[-4000:]}


def tests(work: Path) -> dict[str, int]:
    """How many tests ran, failed, and were skipped."""
    suite = next(ElementTree.parse(work / "tests.xml").iter("testsuite"))
    return {key: int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")}


def timings(work: Path, name: str) -> list[dict[str, Any]]:
    """The times of pytest-benchmark in seconds, with the bytes a second of the benchmark and of a copy."""
    measured = json.loads((work / f"{name}.json").read_text())["benchmarks"]
    return [{"name": b["name"], **{k: b["stats"][k] for k in KEPT}, **b["extra_info"]} for b in measured]


def last_line(work: Path, name: str) -> Any:
    """The JSON that a part printed last."""
    return json.loads((work / f"{name}.log").read_text().strip().splitlines()[-1])


def or_why_not(read: Callable[..., Any], *args: Any) -> Any:
    """What `read` gives, or a text that says why there is nothing."""
    try:
        return read(*args)
    except Exception as error:
        return f"none: {type(error).__name__}: {error}"


def gathered(work: Path, now: datetime.datetime) -> dict[str, Any]:
    """All of it."""
    return {
        "machine": machine(),
        "date": now.isoformat(timespec="seconds"),
        "parts": {path.stem: outcome(work, path.stem) for path in sorted(work.glob("*.status"))},
        "info": or_why_not(last_line, work, "info"),
        "tests": or_why_not(tests, work),
        "step": or_why_not(last_line, work, "step"),
        "targets": or_why_not(last_line, work, "targets"),
        **{name: or_why_not(timings, work, name) for name in TIMED},
    }


def summary(parts: dict[str, dict[str, Any]]) -> str:
    """Which parts passed, failed, and did not run."""
    kinds = {0: "passed", -1: "not run"}
    found: dict[str, list[str]] = {"passed": [], "failed": [], "not run": []}
    for name, part in parts.items():
        found[kinds.get(part["status"], "failed")].append(name)
    return "; ".join(f"{kind}: {', '.join(names)}" for kind, names in found.items() if names)


def main(work: str, gpu: str, out: str) -> int:
    """Write the JSON, and say where; without a GPU only where a folder is named."""
    now = datetime.datetime.now(datetime.UTC)
    found = gathered(Path(work), now)
    print(summary(found["parts"]))
    if gpu != "yes" and not out:
        reason = found["parts"].get("device", {}).get("output", "").strip().rpartition("\n")[2]
        print(f"no GPU could be used, so nothing is verified and no result is kept: {reason}")
        return 1
    name = found["machine"].split(",")[0] if gpu == "yes" else "none"
    folder = Path(out) if out else RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"gpu-{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}-{now:%Y%m%d-%H%M%S}.json"
    file.write_text(json.dumps(found, indent=2) + "\n")
    print(f"written: {file}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:4]))
