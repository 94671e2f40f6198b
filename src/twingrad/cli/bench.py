"""`twingrad bench`."""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from twingrad.cli.parser import Options

SUITE, FOLDER = "cpu", "bench"


def run(options: Options) -> int:
    """Measure a suite: a table for each workload, what was not measured and why, and the path of the result.

    Returns 1 where a workload failed, as when its contenders disagree, else 0.
    """
    suites, compare = (import_module(f"twingrad.benchmarks.{name}") for name in ("suites", "compare"))
    given = options.given()
    old = compare.read(Path(given["compare"])) if "compare" in given else None
    suite = given.get("suite", SUITE)
    file = new_file(Path(given.get("out", FOLDER)), suite)
    try:
        found = suites.run(suite, given.get("quick", False), tell)
        images = draw(suites.pictures(found), file)
        file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    finally:
        if file.stat().st_size == 0:
            file.unlink()
    text = suites.markdown(found)
    compared = "" if old is None else "\n" + compare.told(old, found)
    file.with_suffix(".md").write_text(suites.markdown(found, images) + compared, encoding="utf-8")
    as_json = given.get("json", False)
    print(text + compared, file=sys.stderr if as_json else sys.stdout)
    print(json.dumps(found | told_in_json(file, old, found)) if as_json else f"result: {file}")
    return 1 if found["failed"] else 0


def draw(pictures: dict[str, bytes], file: Path) -> dict[str, str]:
    """Write the pictures beside the result: the names of their files."""
    names = {name: f"{file.stem}-{name}.png" for name in pictures}
    for name, content in pictures.items():
        file.with_name(names[name]).write_bytes(content)
    return names


def told_in_json(file: Path, old: dict[str, Any] | None, found: dict[str, Any]) -> dict[str, Any]:
    """What the JSON on standard output holds beside the file's content."""
    compare = import_module("twingrad.benchmarks.compare")
    slower = None if old is None else [change._asdict() for change in compare.slower(old, found)[0]]
    return {"result": str(file), "slower": slower}


def new_file(folder: Path, suite: str) -> Path:
    """An empty file in `folder` with the next free number: before anything is measured, it is clear that it can be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"--out {folder} cannot be written ({error.strerror}); name another folder") from None
    number = 1
    while True:
        try:
            with open(folder / f"{suite}-{number}.json", "x", encoding="utf-8") as file:
                return Path(file.name)
        except FileExistsError:
            number += 1


def tell(line: str) -> None:
    """What is being measured, on a line of its own that the next one overwrites; nothing where nobody looks on."""
    if sys.stderr.isatty():
        width = os.get_terminal_size(sys.stderr.fileno()).columns - 1
        print(f"\r\x1b[K{line[:width]}", end="\r", file=sys.stderr, flush=True)
