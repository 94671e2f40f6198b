"""The fidelity table: complete, of the instruction sets that it names, and quick to tell a kernel that differs."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

from twingrad.benchmarks import fidelity, fidelity_inputs
from twingrad.benchmarks.fidelity_rows import ROWS
from twingrad.fusable import PROVIDERS, Kernel, registry

from kernels_here import no_kernels

PROMISED = {"relu", "leaky_relu", "dropout", "embedding", "bias (+ relu + dropout)", "clip_segments"}


@pytest.fixture
def kernels():
    reason = no_kernels()
    if reason:
        pytest.skip(f"no kernels are registered: {reason}")
    return importlib.import_module(PROVIDERS["cpu"])


CONVERSIONS = {"narrow", "widen"}
"""Between dtypes: tests/kernels/test_cuda_bfloat16.py holds them to the last bit."""


@pytest.mark.parametrize("backend", PROVIDERS)
def test_every_kernel_has_a_row(kernels, backend):
    importlib.import_module(PROVIDERS[backend])
    with_kernel = {name for name, operation in registry.items() if backend in operation.kernels}
    assert with_kernel - {row.operation for row in ROWS.values()} - CONVERSIONS == set()


def test_what_is_promised_is_promised():
    updates = {name for name in ROWS if "_segments" in name}
    assert all(ROWS[name].bounds == (0, 0) for name in PROMISED | updates)


@pytest.mark.parametrize("column", ["x86-64-v2", "x86-64-v3", "x86-64-v4", "baseline"])
def test_kernels_keep_to_their_bounds(kernels, column):
    if column not in fidelity.instruction_sets():
        pytest.skip(f"the processor does not run {column}")
    found = fidelity.measure_apart(column)
    assert fidelity.complaints({column: found}) == []
    assert {name: cells["ran"] for name, cells in found.items()} == dict.fromkeys(ROWS, column)


def test_a_row_that_ran_another_instruction_set_is_told(kernels, monkeypatch):
    monkeypatch.setattr(fidelity, "ROWS", {"relu": ROWS["relu"]})
    other = "x86-64-v0"
    (told,) = fidelity.complaints({other: fidelity.measure(other)})
    assert told == f"{other}, relu: {fidelity.instruction_sets()[-1]} ran"


def test_the_variable_of_a_column_decides_what_runs(kernels, monkeypatch):
    seen = {}
    monkeypatch.setattr(
        fidelity.subprocess,
        "run",
        lambda command, env, **how: seen.update(env) or type("Done", (), {"stdout": "{}"}),
    )
    for column in fidelity.instruction_sets():
        fidelity.measure_apart(column)
        assert seen["TWINGRAD_ISA"] == column


def test_a_kernel_that_differs_by_one_bit_is_told(kernels, monkeypatch):
    whole = registry["relu"].kernels["cpu"]

    def forward(x):
        out, saved = whole.forward(x)
        return (np.nextafter(out, np.inf, dtype=out.dtype) if x.size == 69 else out), saved

    monkeypatch.setitem(registry["relu"].kernels, "cpu", Kernel(whole.accepts, forward, whole.backward))
    monkeypatch.setattr(fidelity, "ROWS", {"relu": ROWS["relu"]})
    column = fidelity.instruction_sets()[-1]
    told = fidelity.complaints({column: fidelity.measure(column)})
    assert [line.partition(": results are ")[0] for line in told] == [
        f"{column}, relu, {dtype}" for dtype in ("float32", "float64")
    ]


@pytest.mark.parametrize(
    ("found", "expected", "distance"),
    [
        ([1.0, np.nan], [1.0, -np.nan], 0.0),
        ([0.0], [-0.0], fidelity.ZERO_SIGN),
        ([1.0 + 2**-23], [1.0], 1.0),
        ([2**-149], [0.0], 1.0),
        ([np.inf], [3e38], np.inf),
        ([np.nan], [1.0], np.inf),
        ([-np.inf], [np.inf], np.inf),
    ],
)
def test_distance_in_ulps(found, expected, distance):
    one, other = (np.asarray(values, np.float32) for values in (found, expected))
    assert fidelity.apart(one, other, "float32", np.where(np.isfinite(other), np.abs(other), 0)) == distance


def test_arrays_begin_where_they_are_told():
    for start in range(16):
        array = fidelity_inputs.placed(np.arange(5, dtype=np.float32), start)
        assert array.ctypes.data % 64 == 4 * start
        assert fidelity.again(array).ctypes.data % 64 == 4 * start
        assert array.tolist() == [0, 1, 2, 3, 4]


def test_inputs_are_of_every_length_and_of_special_values():
    rng = np.random.default_rng(0)
    calls = list(ROWS["relu"].calls(rng, np.dtype("float32")))
    assert {call.arrays[0].size for call in calls} >= set(range(71))
    assert len({call.arrays[0].ctypes.data % 64 for call in calls}) == 16
    values = np.concatenate([call.arrays[0] for call in calls])
    assert np.isnan(values).any()
    assert np.isposinf(values).any()
    assert np.isneginf(values).any()
    assert (np.abs(values[values != 0]) < np.finfo(np.float32).tiny).any()
    assert np.signbit(values[values == 0]).any()


def test_the_page_has_every_kernel_and_every_column():
    root = Path(__file__).parents[2]
    result = json.loads((root / "benchmarks/results/fidelity.json").read_text())
    assert result["allowed"] == {name: list(row.bounds[: 1 + bool(row.differentiable)]) for name, row in ROWS.items()}
    for column in ("reference", "x86-64-v2", "x86-64-v3", "x86-64-v4"):
        assert result["columns"][column].keys() == ROWS.keys()
    assert fidelity.complaints(result["columns"]) == []


def test_command_fails_and_writes_nothing_where_a_kernel_differs(tmp_path, monkeypatch, capsys):
    far = {"relu": {"ran": "x86-64-v2", "float32": [1.0, 0.0], "float64": [0.0, 0.0]}}
    monkeypatch.setattr(fidelity, "measure_apart", lambda column: far)
    page, file = tmp_path / "page.md", tmp_path / "fidelity.json"
    page.write_text("<!-- results/fidelity.json -->\n<!-- end -->\n")
    assert fidelity.main(["--column", "x86-64-v2", "--update", str(page), "--json", str(file)]) == 1
    assert "relu, float32: results are 1 ulps apart, 0 are allowed" in capsys.readouterr().err
    assert not file.exists()
    far["relu"]["float32"] = [0.0, 0.0]
    assert fidelity.main(["--column", "x86-64-v2", "--update", str(page), "--json", str(file)]) == 0
    assert "| relu | float32 | 0, 0 |  | 0, 0 |  |  |  |" in page.read_text()
