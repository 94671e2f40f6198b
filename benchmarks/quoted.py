"""Measures again all that README.md and benchmarks/README.md quote, in about 15 minutes on two free cores.

    python -m twingrad.benchmarks.quoted --update README.md benchmarks/README.md
    python -m twingrad.benchmarks.quoted --only step.json --only adam.json --update README.md benchmarks/README.md
    python -m twingrad.benchmarks.quoted --quick --out FOLDER        # a try: few rounds, small cases, no page

Each file is written as soon as it is measured, and the pages are made anew with it. Exit code 1 if a file, or a case of
one, could not be measured: the others are all the same.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twingrad.benchmarks import driver, fashion_mnist, report, suites
from twingrad.benchmarks.driver import Effort

PATIENCE = 5.0
"""Seconds that a case may wait for other programs to be quiet."""
FILES: dict[str, tuple[str, Effort]] = {
    "step.json": ("bench_step", Effort(11, 0.1, patience=PATIENCE)),
    "epoch.json": ("bench_epoch", Effort(7, 0.3, patience=PATIENCE)),
    "adam.json": ("bench_adam", Effort(11, 0.1, patience=PATIENCE)),
    "dropout.json": ("bench_dropout", Effort(9, 0.1, patience=PATIENCE)),
    "logistic.json": ("bench_logistic", Effort(9, 0.1, patience=PATIENCE)),
    "import.json": ("bench_import", Effort(5, 0.0, patience=PATIENCE)),
    "fashion_mnist.json": ("fashion_mnist", Effort(3, 0.0, patience=PATIENCE)),
    "optimizers.json": ("bench_optimizers", Effort(5, 0.05, patience=PATIENCE)),
    "kernels.json": ("bench_kernels", Effort(5, 0.05, patience=PATIENCE)),
    "autodiff.json": ("bench_autodiff", Effort(5, 0.03, patience=PATIENCE)),
}
"""In the order of their weight: should the time run out, the last are missing."""
EPOCHS = 25
"""Of the command in README."""


def measure(module: str, effort: Effort, quick: bool, tell: Callable[[str], None]) -> dict[str, Any]:
    """The content of a file."""
    if module == "fashion_mnist":
        return fashion_mnist.measure(1 if quick else EPOCHS, Effort(1, 0.0, quiet=99.0) if quick else effort)
    workload = suites.workload_of(module)
    return driver.run(suites.smaller(workload) if quick else workload, suites.QUICK if quick else effort, tell=tell)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m twingrad.benchmarks.quoted", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", action="append", default=[], choices=list(FILES), help="only this file")
    parser.add_argument("--quick", action="store_true", help="few rounds, small cases")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), metavar="FOLDER")
    parser.add_argument("--update", nargs="+", type=Path, metavar="PAGE.md", default=[])
    options = parser.parse_args(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    failed = 0
    for name in options.only or FILES:
        module, effort = FILES[name]
        start = time.monotonic()
        try:
            result = measure(module, effort, options.quick, tell)
        except Exception as error:  # the others are worth measuring, whatever this one ran into
            reasons = {"all": str(error).strip() or type(error).__name__}
        else:
            reasons = result.get("failed", {})
            (options.out / name).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
            for page in options.update:
                page.write_text(report.updated(page.read_text(encoding="utf-8"), options.out), encoding="utf-8")
        failed += len(reasons)
        for case, reason in reasons.items():
            tell(f"{name}: FAILED: {case}: {reason}")
        tell(f"{name}: {time.monotonic() - start:.0f} s")
    return 1 if failed else 0


def tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
