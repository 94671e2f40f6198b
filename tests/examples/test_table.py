"""The table of examples."""

import re
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_each_example_has_a_row_and_each_row_an_example():
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[`(\w+\.py)`\]\(\1\) \| \S", text, re.MULTILINE)
    assert sorted(rows) == sorted(path.name for path in EXAMPLES.glob("*.py"))


def test_each_claim_is_named_in_the_row_of_its_example():
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"^\| \[`(\w+)\.py`\].*\| \[\1\]\((\S+)\) \|", text, re.MULTILINE)
    measured = {path.stem for path in (EXAMPLES.parent / "benchmarks/results/claims").glob("*.json")}
    assert {name for name, _ in links} == measured
    assert all((EXAMPLES / link).is_file() for _, link in links)
