"""The time of `import twingrad` beside that of `import numpy`, each in new interpreters, in turns.

    python -m twingrad.benchmarks.bench_import [--runs 20] [--json]
    pytest benchmarks/bench_import.py

The clock runs inside the interpreter, around the import alone, so that the start of Python is in neither, and both find
their bytecode compiled, as pip leaves it. NumPy is the floor: twingrad imports it. The target is at most 2.5 times
NumPy's time; `python -X importtime -c "import twingrad"` tells where the rest goes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from typing import Any

TARGET = 2.5
MODULES = ("numpy", "twingrad")
CODE = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"


def seconds(module: str, bytecode: str) -> float:
    """The time of one import in a new interpreter that keeps compiled bytecode in the folder `bytecode`."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = bytecode
    command = [sys.executable, "-c", CODE.format(module)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout)


def measure(runs: int) -> dict[str, Any]:
    """Medians and quartiles of `runs` imports of each module, in milliseconds, and the ratio of the medians."""
    times: dict[str, list[float]] = {module: [] for module in MODULES}
    with tempfile.TemporaryDirectory() as bytecode:
        for module in MODULES * (runs + 1):
            times[module].append(seconds(module, bytecode) * 1e3)
    result: dict[str, Any] = {"runs": runs, "target": TARGET}
    for module, found in times.items():
        low, median, high = statistics.quantiles(found[1:], n=4)  # the first run compiles
        result[module] = {"median_ms": median, "quartiles_ms": [low, high]}
    result["ratio"] = result["twingrad"]["median_ms"] / result["numpy"]["median_ms"]
    return result


def table(result: dict[str, Any]) -> str:
    """The measurement for a reader."""
    lines = ["| import | median, ms | quartiles, ms |", "|---|---|---|"]
    for module in MODULES:
        low, high = result[module]["quartiles_ms"]
        lines.append(f"| {module} | {result[module]['median_ms']:.1f} | {low:.1f} to {high:.1f} |")
    return "\n".join([*lines, f"\n{result['ratio']:.2f} times NumPy's time; the target is at most {TARGET}"])


def test_import(capsys: Any) -> None:
    """Prints the measurement of a few runs: a figure, which a busy machine must not turn into a failure."""
    result = measure(5)
    assert result["twingrad"]["median_ms"] > result["numpy"]["median_ms"] > 0
    with capsys.disabled():
        print("\n" + table(result))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="the time of `import twingrad` beside NumPy's")
    parser.add_argument("--runs", type=int, default=20, help="imports of each module (default 20)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if options.runs < 2:
        parser.error(f"--runs must be at least 2 for quartiles, got {options.runs}")
    result = measure(options.runs)
    print(json.dumps(result) if options.json else table(result))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
