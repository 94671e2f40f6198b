"""How far each kernel is from its reference, in ulps, on every instruction set and on a GPU.

    python -m twingrad.benchmarks.fidelity                                  # prints the table; exit code 1 if it fails
    python -m twingrad.benchmarks.fidelity --update docs/fidelity.md        # and writes results/fidelity.json, the page
    python -m twingrad.benchmarks.fidelity --column cuda --update docs/fidelity.md      # only that column, on a GPU

Each column is measured in a process of its own, with TWINGRAD_ISA, under `fused("require")`, and each row tells what
ran by the loader's word. The inputs are those of `fidelity_rows`. The column "reference" holds the reference against
itself in the next wider floating-point numbers, on usual inputs.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from twingrad import Tensor, fused
from twingrad import functional as F
from twingrad.benchmarks import driver, report
from twingrad.benchmarks.fidelity_inputs import Inputs, placed, poisoned
from twingrad.benchmarks.fidelity_rows import ROWS, Row, Unit
from twingrad.fusable import PROVIDERS, registry
from twingrad.kernels import cpu
from twingrad.kernels.cpu import loader

REFERENCE, CUDA = "reference", "cuda"
DTYPES = {"float32": "float64", "float64": "longdouble"}
"""And the next wider ones."""
ZERO_SIGN = 0.001
"""The distance of +0 from -0, in ulps."""
RESULTS = Path("benchmarks/results/fidelity.json")

Values = tuple[list[Any], list[Any]]


def instruction_sets() -> list[str]:
    """Those that the processor runs, by the names that `cpu.instruction_set` gives."""
    if not cpu.available():
        return []
    found = loader.usable(cpu.library().c.tg_level())
    return [isa if isa == "baseline" else f"x86-64-{isa}" for isa in reversed(found)]


def columns() -> list[str]:
    """Those that can be measured here."""
    gpu = (
        importlib.util.find_spec("cupy") is not None and importlib.import_module(PROVIDERS[CUDA]).unavailable() is None
    )
    return [REFERENCE, *instruction_sets(), *[CUDA] * gpu]


def run(row: Row, inputs: Inputs, mode: str, place: Callable[[Any], Any]) -> Values:
    """The result with the arrays as they are afterwards, and the gradients, on arrays of its own."""
    arrays = [None if a is None else place(a) for a in inputs.arrays]
    options = {name: place(v) if isinstance(v, np.ndarray) else v for name, v in inputs.options.items()}
    leaves = [
        Tensor(a, requires_grad=True) if a is not None and i < row.differentiable and "float" in str(a.dtype) else a
        for i, a in enumerate(arrays)
    ]
    with fused(mode), np.errstate(all="ignore"):
        out = getattr(F, row.operation)(*leaves, **options)
        if row.differentiable:
            out.backward(place(cotangent(row, inputs, out.shape)))
            out = out.data
    written = (*arrays, *(options[name] for name, v in inputs.options.items() if isinstance(v, np.ndarray)))
    return [a for a in (out, *written) if a is not None], [t.grad for t in leaves if isinstance(t, Tensor)]


def cotangent(row: Row, inputs: Inputs, shape: tuple[int, ...]) -> Any:
    """The gradient that comes back, misaligned; with special values among those that only a sign or a mask changes."""
    dtype = next(a.dtype for a in inputs.arrays if a.dtype.kind == "f")
    rng = np.random.default_rng(int(np.prod(shape)))
    drawn = np.asarray(rng.normal(size=shape), dtype)
    return placed(drawn if inputs.usual or row.bounds[1] >= 1 else poisoned(rng, drawn), 5)


def again(array: Any) -> Any:
    """A copy that begins as far from a multiple of 64 bytes."""
    return placed(array, array.ctypes.data % 64 // array.itemsize)


def wider(array: Any) -> Any:
    """A copy in the next wider floating-point numbers."""
    return array.astype(DTYPES[array.dtype.name]) if array.dtype.name in DTYPES else array.copy()


def on_gpu(array: Any) -> Any:
    """A copy on the GPU that begins as far from the start of its memory."""
    start = array.ctypes.data % 64 // array.itemsize
    found = importlib.import_module("cupy").empty(start + array.size, array.dtype)[start:].reshape(array.shape)
    found.set(array)
    return found


def apart(found: Any, expected: Any, dtype: str, size: Any) -> float:
    """The largest distance in ulps of `dtype` at `size`; infinite where NaN or an infinity stands beside another value.

    0 only for the same bits: NaN equals NaN, +0 and -0 are ZERO_SIGN apart.
    """
    if found.shape != expected.shape:
        return np.inf
    a, b = (np.asarray(array, np.longdouble) for array in (found, expected))
    same = (a == b) & (np.signbit(a) == np.signbit(b)) | np.isnan(a) & np.isnan(b)
    if same.all():
        return 0.0
    with np.errstate(all="ignore"):
        unit = np.spacing(np.asarray(size, dtype)).astype(np.longdouble)
        distance = np.where(a == b, ZERO_SIGN, np.abs(a - b) / unit)
    distance = np.where(same, 0.0, np.where(np.isfinite(distance), distance, np.inf))
    return float(distance.max())


def distances(row: Row, inputs: Inputs, dtype: str, column: str) -> Iterator[list[float]]:
    """Of each result, then of each gradient."""
    expected = run(row, inputs, "never", wider if column == REFERENCE else again)
    if column == REFERENCE:
        found, expected = run(row, inputs, "never", again), expected
    else:
        found = run(row, inputs, "require", on_gpu if column == CUDA else again)
    for values, others, unit in zip(found, expected, row.units, strict=True):
        pairs = [(numpy(a), numpy(b)) for a, b in zip(values, others, strict=True)]
        yield [apart(a, b, dtype, size(unit, row, inputs, b)) for a, b in pairs]


def size(unit: Unit, row: Row, inputs: Inputs, expected: Any) -> Any:
    """What an ulp is taken of; infinities and NaN count as 0."""
    finite = np.where(np.isfinite(expected), expected, 0)
    return unit(inputs, cotangent(row, inputs, expected.shape), finite)


def numpy(array: Any) -> Any:
    return array.get() if hasattr(array, "get") else np.asarray(array)


def measured(name: str, dtype: str, column: str) -> list[float]:
    """The largest distance of results and, where there are any, of gradients; nothing of a row without inputs."""
    row, rng = ROWS[name], np.random.default_rng(zlib.crc32(f"{name} {dtype}".encode()))
    found = [
        [max(values, default=0.0) for values in distances(row, inputs, dtype, column)]
        for inputs in row.calls(rng, np.dtype(dtype))
        if inputs.usual or column != REFERENCE
    ]
    return [max(values) for values in zip(*found, strict=True)][: 1 + bool(row.differentiable)]


def measure(column: str) -> dict[str, Any]:
    """A column, in this process: for each row what ran, and the distances by dtype."""
    backend = "cuda" if column == CUDA else "cpu"
    found: dict[str, Any] = {}
    importlib.import_module(PROVIDERS[backend])
    for name, row in ROWS.items():
        if column == REFERENCE or backend in registry[row.operation].kernels:
            values = {dtype: measured(name, dtype, column) for dtype in DTYPES}
            found[name] = {"ran": column if column in (REFERENCE, CUDA) else cpu.instruction_set(), **values}
    return found


def measure_apart(column: str) -> dict[str, Any]:
    """A column, in a process that is told its instruction set."""
    command = [sys.executable, "-P", "-m", "twingrad.benchmarks.fidelity", "--inside", column]
    environment = dict(os.environ) | ({"TWINGRAD_ISA": column} if column in instruction_sets() else {})
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout))


def complaints(found: dict[str, dict[str, Any]]) -> list[str]:
    """What is not as it must be: by column and row."""
    wrong = []
    for column, rows in found.items():
        for name, cells in rows.items():
            if cells["ran"] != column:
                wrong.append(f"{column}, {name}: {cells['ran']} ran")
            for dtype in DTYPES if column != REFERENCE else ():
                for value, bound, of in zip(cells[dtype], ROWS[name].bounds, ("results", "gradients"), strict=False):
                    if not value <= bound:
                        wrong.append(f"{column}, {name}, {dtype}: {of} are {value:.3g} ulps apart, {bound} are allowed")
    return wrong


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m twingrad.benchmarks.fidelity", description=__doc__)
    parser.add_argument("--column", action="append", default=[], help="only this column, as x86-64-v3 or cuda")
    parser.add_argument("--update", type=Path, metavar="PAGE.md", help="write the result and the page's table")
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="FILE", help=f"the result (default {RESULTS})")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.inside:
        print(json.dumps(measure(options.inside)))
        return 0
    found = {column: measure_apart(column) for column in options.column or columns()}
    known = json.loads(options.json.read_text(encoding="utf-8")) if options.json.exists() else {"columns": {}}
    result = {"machine": driver.described(), "columns": known["columns"] | found}
    result["allowed"] = {name: list(row.bounds[: 1 + bool(row.differentiable)]) for name, row in ROWS.items()}
    print(report.markdown(result))
    wrong = complaints(found)
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
    elif options.update:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        page = options.update.read_text(encoding="utf-8")
        options.update.write_text(report.updated(page, options.json.parent), encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
