"""Run the official conformance suite on `twingrad.xp` and on bare NumPy behind array-api-compat, and compare.

    git clone --recurse-submodules https://github.com/data-apis/array-api-tests
    pip install -r array-api-tests/requirements.txt
    python tests/conformance/run.py array-api-tests --max-examples 2 100

Exits with 1 if a test fails for `twingrad.xp` that is not in expected_failures.txt; some of these fail for few of the
numbers that are drawn, so that a run may see them fail on one side alone. With `--write` the counts go to figures.json,
which docs/differentiable.md quotes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
OURS, BARE = "twingrad.xp", "array_api_compat.numpy"
VERSION = "2024.12"


def outcomes(suite: Path, module: str, examples: int) -> dict[str, tuple[str, str]]:
    """The outcome of each test of the suite by its id: passed, failed or skipped, and what a failure says."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "array_api_tests", f"--max-examples={examples}", "-q", "--tb=no"]
        command += ["-p", "no:cacheprovider", "-p", "no:warnings", f"--junitxml={report}", "--disable-deadline"]
        environment = {**os.environ, "ARRAY_API_TESTS_MODULE": module, "ARRAY_API_TESTS_VERSION": VERSION}
        subprocess.run(command, cwd=suite, env=environment, stdout=subprocess.DEVNULL, check=False)
        cases = ElementTree.parse(report).getroot().iter("testcase")
        return dict(_outcome(case) for case in cases)


def _outcome(case: ElementTree.Element) -> tuple[str, tuple[str, str]]:
    module, _, group = case.attrib["classname"].removeprefix("array_api_tests.").partition(".")
    name = "::".join([f"array_api_tests/{module}.py", *filter(None, [group]), case.attrib["name"]])
    found = {child.tag: child.get("message", "") for child in case}
    broken = [found[tag].partition("\n")[0] for tag in ("failure", "error") if tag in found]
    return name, ("failed", broken[0]) if broken else ("skipped" if "skipped" in found else "passed", "")


def failed(found: dict[str, tuple[str, str]]) -> set[str]:
    return {name for name, (outcome, _) in found.items() if outcome == "failed"}


def expected() -> set[str]:
    lines = (HERE / "expected_failures.txt").read_text().splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def compare(suite: Path, examples: int) -> tuple[dict[str, Any], bool]:
    """The counts of both, and whether `twingrad.xp` fails where it is not expected to."""
    ours, bare = (outcomes(suite, module, examples) for module in (OURS, BARE))
    unexpected = failed(ours) - expected()
    both = {OURS: ours, BARE: bare}
    counts = {name: dict(sorted(Counter(o for o, _ in found.values()).items())) for name, found in both.items()}
    print(f"{examples} examples: {counts}")
    for name in sorted(unexpected):
        print(f"  failed, not expected, bare NumPy {bare[name][0]}: {name}\n    {ours[name][1]}")
    return {"max_examples": examples, **counts, "not expected": len(unexpected)}, bool(unexpected)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", type=Path, help="a clone of data-apis/array-api-tests, with its submodule")
    parser.add_argument("--max-examples", type=int, nargs="+", default=[2], help="examples a test, for each run")
    parser.add_argument("--write", action="store_true", help="write figures.json")
    options = parser.parse_args()
    compared = [compare(options.suite, examples) for examples in options.max_examples]
    if options.write:
        import numpy

        commit = subprocess.check_output(["git", "-C", str(options.suite), "rev-parse", "--short=8", "HEAD"], text=True)
        figures = {"standard": VERSION, "suite": commit.strip(), "numpy": numpy.__version__}
        figures["runs"] = [counts for counts, _ in compared]
        (HERE / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")
    return int(any(bad for _, bad in compared))


if __name__ == "__main__":
    sys.exit(main())
