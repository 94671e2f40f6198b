"""docs/course.md: each function, test, example, file and heading that it names is there."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import twingrad as tg

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGE = (DOCS / "course.md").read_text(encoding="utf-8")
LINK = re.compile(r"\[([^][]+)\]\(([^()\s]+)\)")
NAME = re.compile(r"`(tg(?:\.\w+)+)(?:\(([^`]*)\))?`")
TEST = re.compile(r"`(test_\w+)`")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def complaints(page: str) -> Iterator[str]:
    """What the page names and is not there."""
    links = LINK.findall(page)
    for text, path in links:
        yield from of_link(text, path, page)
    for name, arguments in NAME.findall(page):
        yield from of_name(name, re.findall(r"(\w+)=", arguments))
    linked = {text.strip("`") for text, _ in links}
    yield from (f"{name} is named without a link" for name in set(TEST.findall(page)) - linked)


def of_link(text: str, path: str, page: str) -> Iterator[str]:
    """A link leads to a heading, a file of that name, or the file that defines the function or test."""
    file, _, heading = path.partition("#")
    if file and not (DOCS / file).is_file():
        yield f"no file {file}"
        return
    there = (DOCS / file).read_text(encoding="utf-8") if file else page
    if heading and heading not in slugs(there):
        yield f"no heading {path}"
    elif found := NAME.fullmatch(text) or TEST.fullmatch(text):
        last = found[1].rpartition(".")[2]
        if not re.search(rf"^\s*(def|class) {last}\b|^{last} = ", there, re.MULTILINE):
            yield f"{path} does not define {found[1]}"
    elif text.startswith("`") and text.strip("`") != Path(path).name:
        yield f"{text} leads to {path}"


def slugs(page: str) -> list[str]:
    """The anchors of a page's headings."""
    return [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(page)]


def of_name(name: str, arguments: list[str]) -> Iterator[str]:
    """`tg.x.y(argument=)` can be imported, and takes the arguments."""
    found: Any = tg
    for part in name.split(".")[1:]:
        try:
            found = getattr(found, part, None) or importlib.import_module(f"{found.__name__}.{part}")
        except (ImportError, AttributeError):
            yield f"no {name}"
            return
    if arguments:
        known = {*inspect.signature(found).parameters, *getattr(found, "options", ())}
        yield from (f"{name} takes no {each}" for each in arguments if each not in known)


def test_all_that_the_page_names_is_there():
    assert list(complaints(PAGE)) == []


WRONG = """# A heading, of words
[`tg.optim.EWA`](../src/twingrad/optim/adam.py) [`tg.optim.EWB`](../src/twingrad/optim/ewa.py) `tg.fit(drop=)`
[`test_the_second_value`](../tests/optim/test_ewa.py) [`test_a_third`](../tests/optim/test_ewa.py) `test_nowhere`
[`saddle.py`](../examples/averages.py) [`saddle.py`](../examples/saddel.py) [notes](nowhere.md) `tg.optim.SGD(l1=)`
[here](#a-heading-of-words) [there](#another) [elsewhere](cli.md#another)
"""


def test_a_page_that_names_what_is_not_there_is_told():
    assert sorted(complaints(WRONG)) == [
        "../src/twingrad/optim/adam.py does not define tg.optim.EWA",
        "../src/twingrad/optim/ewa.py does not define tg.optim.EWB",
        "../tests/optim/test_ewa.py does not define test_a_third",
        "`saddle.py` leads to ../examples/averages.py",
        "no file ../examples/saddel.py",
        "no file nowhere.md",
        "no heading #another",
        "no heading cli.md#another",
        "no tg.optim.EWB",
        "test_nowhere is named without a link",
        "tg.fit takes no drop",
    ]


def test_every_example_has_a_row():
    examples = {path.name for path in (ROOT / "examples").glob("*.py")}
    assert examples <= {text.strip("`") for text, _ in LINK.findall(PAGE)}


def test_every_row_leads_to_code_and_to_a_test():
    tables = [part for part in PAGE.split("\n\n") if part.startswith("| taught |")]
    assert len(tables) == 9
    for row in (row for table in tables for row in table.strip().splitlines()[2:]):
        _, code, _, test, _ = row.strip("|").split(" | ")
        assert "](../src/" in code, row
        assert "](../tests/" in test, row
