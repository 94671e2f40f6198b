"""README's table of what runs where: made of the results of gpu_check.sh, and no more than they show."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from twingrad.benchmarks import gpu_table, report

ROOT = Path(__file__).parents[2]
NAMES = ("device", "tests", "fidelity", "step")


def write(folder, name="gpu-nvidia-h200-1.json", date="2030-01-02T03:04:05+00:00", skipped=3, **statuses):
    parts = {part: {"status": statuses.get(part, 0), "seconds": 1} for part in NAMES}
    tests = {"tests": 900, "failures": 0, "errors": 0, "skipped": skipped}
    found = {"machine": "NVIDIA H200, 9.0, 143771 MiB, 580", "date": date, "parts": parts, "tests": tests}
    (folder / name).write_text(json.dumps(found))


def verdicts(folder):
    lines = gpu_table.markdown(folder).splitlines()[2:][: len(gpu_table.ROWS)]
    return [line.split("**")[1] for line in lines]


def test_readme_is_up_to_date_with_the_folder():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(report.OF_GPU.findall(text)) == 1
    assert report.updated(text, ROOT / "benchmarks/results") == text


def test_without_a_result_nothing_is_verified(tmp_path):
    assert verdicts(tmp_path) == [gpu_table.NOT_YET] * len(gpu_table.ROWS)
    write(tmp_path, device=1)
    assert verdicts(tmp_path) == [gpu_table.NOT_YET] * len(gpu_table.ROWS)


def test_what_passed_on_a_gpu_is_verified_there(tmp_path):
    write(tmp_path)
    assert verdicts(tmp_path) == ["verified on NVIDIA H200, 2030-01-02"] * len(gpu_table.ROWS)


@pytest.mark.parametrize(
    ("statuses", "wrong"), [({"step": 124}, {3: "step"}), ({"fidelity": -1}, dict.fromkeys((1, 2), "fidelity"))]
)
def test_what_did_not_pass_is_told(tmp_path, statuses, wrong):
    write(tmp_path, **statuses)
    for row, found in enumerate(verdicts(tmp_path)):
        told = f"{gpu_table.NOT_YET}: {wrong[row]} did not pass on NVIDIA H200, 2030-01-02" if row in wrong else ""
        assert found == (told or "verified on NVIDIA H200, 2030-01-02")


def test_skipped_tests_verify_nothing_and_the_newest_file_counts(tmp_path):
    write(tmp_path, "gpu-old-1.json", date="2029-01-01T00:00:00+00:00")
    write(tmp_path, skipped=900)
    assert verdicts(tmp_path)[0] == f"{gpu_table.NOT_YET}: tests did not pass on NVIDIA H200, 2030-01-02"


def test_the_command_writes_the_table_between_its_markers(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- results of gpu_check.sh -->\nold\n<!-- end -->\nafter\n")
    write(tmp_path)
    assert report.main(["--update", str(page), "--from", str(tmp_path)]) == 0
    text = page.read_text()
    assert text.startswith("before\n<!-- results of gpu_check.sh -->\n|  | NumPy on a CPU |")
    assert text.endswith("|\n<!-- end -->\nafter\n")
