"""The command that measures claims: see `twingrad.benchmarks.claims`."""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path

import twingrad.benchmarks.claims as package
from twingrad.benchmarks import report
from twingrad.benchmarks.claims import Claim, rows, table
from twingrad.choice import choose


def names() -> list[str]:
    """Of all claims."""
    return sorted(module.name for module in pkgutil.iter_modules(rows.__path__))


def claim_of(name: str) -> Claim:
    """The claim of that name; ValueError where there is none."""
    found = importlib.import_module(f"{rows.__name__}.{choose('claim', name, names())}").CLAIM
    assert isinstance(found, Claim)
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """0 where all was measured, whatever the verdicts; 1 where a seed failed; 2 for bad arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m twingrad.benchmarks.claims",
        description=package.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--seeds", type=int, metavar="N", help="only the first N seeds of each claim, at least 2")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/claims"), metavar="FOLDER")
    parser.add_argument(
        "--update", nargs="+", type=Path, metavar="PAGE.md", default=[], help="pages that quote results"
    )
    options = parser.parse_args(argv)
    if options.seeds is not None and options.seeds < 2:
        parser.error(f"--seeds must be at least 2, for an interval; got {options.seeds}")
    try:
        claims = {name: claim_of(name) for name in options.names}
    except ValueError as error:
        parser.error(str(error))
    if not claims:
        print("\n".join(names()))
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    failed = 0
    for name, claim in claims.items():
        print(f"{name}: {claim.text}", file=sys.stderr, flush=True)
        result = claim.run(claim.seeds[: options.seeds], tell=lambda line: print(line, file=sys.stderr, flush=True))
        (options.out / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        print(table.markdown(result))
        failed += len(result["failed"])
    for page in options.update:
        page.write_text(report.updated(page.read_text(encoding="utf-8"), options.out.parent), encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
