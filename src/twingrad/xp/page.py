"""The page of differentiable functions, made from the tables: `python -m twingrad.xp.page`, at the root of the source.

It writes docs/differentiable.md; a test asserts that the file is what would be written.
"""

from __future__ import annotations

import inspect
import json
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twingrad import xp
from twingrad.xp.composed import compositions
from twingrad.xp.notes import NOTES, find
from twingrad.xp.primitive import primitives

OURS, BARE = "twingrad.xp", "array_api_compat.numpy"
PAGE, FIGURES = Path("docs/differentiable.md"), Path("tests/conformance/figures.json")
ARGUMENTS = {
    "where": "x1, x2",
    "diff": "x, prepend, append",
    "broadcast_arrays": "arrays",
    "meshgrid": "arrays",
    "concat": "arrays",
    "stack": "arrays",
}
"""The arguments that a function is differentiated by, where they are not the first ones of its rules."""

TEXT = """# Differentiable functions

Made by `python -m twingrad.xp.page` from the tables of rules; do not edit. `twingrad.xp` is the array API standard
2024.12, with `xp.linalg` and `xp.fft`. {figures}

Every rule is checked against central differences in float64 (relative error at most 1e-7) on fixed inputs and on
shapes, axes and keys drawn by hypothesis; first and second derivatives against PyTorch's where it has the function. The
rules are written in the namespace itself, so gradients of gradients work. With arrays of any other conforming library
beneath, they stay in it and on its device.

## With a gradient

By: the arguments that it is differentiated by. Where a derivative does not exist, the rules follow PyTorch.

| function | by | where it does not exist, and other notes |
| --- | --- | --- |
{rows}

Indexing, `x[key]`, is `getitem`: integers, slices, `None`, `...`, masks and integer arrays. A write,
`x[key] = value`, is recorded where x or value is on the tape, except at integer arrays: x gets memory of its own.

## Without a gradient

Their results are off the tape, as constants: the derivative is 0 wherever there is one, or they give integers or truth
values. {constants}.

## Complex numbers

Complex arrays compute, and so do the transforms {transforms}. Gradients through complex numbers are not defined here: a
backward pass that comes to them raises `AutodiffError` and names the operation. That holds for `irfft(rfft(x))` too,
though both its ends are real: between them the cotangents would be complex, for which there are two conventions, each
the conjugate of the other. Compute with real and imaginary parts as two real arrays instead.

## Other people's code

Code written against the standard is differentiated unchanged, for scipy with `SCIPY_ARRAY_API=1` in the environment.
Checked in `tests/xp/test_other_code.py`, values against those of plain arrays and gradients against differences:
{others}. (`special.entr` is no part of the standard: scipy asks a namespace for it.)

With arrays of array-api-strict's `device1` beneath, values and gradients are NumPy's, and none leaves the device.
Not so {numpys}, which refuse plain arrays of that library too: they use what the standard does not have, or make
arrays on another device.

Not differentiable, each because scipy turns its arguments into NumPy arrays for compiled code, which `np.asarray` of a
Tensor refuses, lest they leave the tape unseen: {refused}.
"""

OTHERS = {
    "scipy.special": "logsumexp softmax log_softmax entr rel_entr xlogy",
    "scipy.stats": "entropy zscore zmap gmean hmean moment skew kurtosis sem quantile",
    "scipy.integrate": "trapezoid cumulative_trapezoid cumulative_simpson",
    "scipy.optimize": "rosen",
    "scipy.cluster.vq": "whiten",
    "array_api_extra": "cov pad sinc kron nan_to_num create_diagonal",
}
"""Functions that nobody here wrote, which are differentiated as they are."""

NUMPYS = ("scipy.integrate.cumulative_simpson", "scipy.optimize.rosen")
"""Those of them that do not work on plain arrays of array-api-strict's `device1`."""

REFUSED = {
    "scipy.special": "expit ndtr",
    "scipy.spatial.distance": "cdist pdist",
    "scipy.cluster.vq": "vq kmeans",
}
"""Functions that nobody here wrote, whose arguments leave for NumPy."""


def arguments(path: str) -> str:
    """The names of the arguments that the function is differentiated by."""
    names = list(inspect.signature(find(xp, path)).parameters)
    count = len(primitives[path]) if path in primitives else 1
    standard = names[:count] if count == 1 or path == "clip" else [f"x{i + 1}" for i in range(count)]
    return ARGUMENTS.get(path, ", ".join(standard))


def differentiable() -> list[str]:
    """The functions with a derivative, the inner ones of rules left out."""
    return sorted({path for path in {*primitives, *compositions} if not path.startswith("_")})


def constants() -> Iterator[str]:
    """The functions of arrays without a derivative."""
    made = ("arange", "asarray", "empty", "eye", "from_dlpack", "full", "linspace", "ones", "zeros")
    told = ("finfo", "iinfo", "isdtype", "result_type", "can_cast", "__array_namespace_info__")
    for name in sorted(xp.__all__):
        value = getattr(xp, name)
        if (
            isinstance(value, types.FunctionType)
            and name not in differentiable()
            and not name.startswith((*made, *told))
        ):
            yield name
    yield "linalg.matrix_rank"


def page(figures: dict[str, Any]) -> str:
    """The text of the page."""
    rows = "\n".join(f"| `{path}` | {arguments(path)} | {NOTES.get(path, '')} |" for path in differentiable())
    transforms = [f"`fft.{n}`" for n in xp.fft.__all__ if f"fft.{n}" not in primitives and not n.endswith("freq")]
    return TEXT.format(
        rows=rows,
        figures=_conformance(figures),
        constants=_listed(f"`{name}`" for name in constants()),
        transforms=_listed(transforms),
        others=_listed(f"`{m}.{n}`" for m, names in OTHERS.items() for n in names.split()),
        numpys=_listed(f"`{name}`" for name in NUMPYS),
        refused=_listed(f"`{m}.{n}`" for m, names in REFUSED.items() for n in names.split()),
    )


def _conformance(figures: dict[str, Any]) -> str:
    counts = ", and ".join(
        f"{run[OURS]['passed']:,} tests pass and {run[OURS]['failed']} fail with {run['max_examples']} examples a test "
        f"({run[BARE]['passed']:,} and {run[BARE]['failed']} of bare NumPy behind array-api-compat)"
        for run in figures["runs"]
    )
    return (
        f"Of the official conformance suite (data-apis/array-api-tests {figures['suite']}, NumPy {figures['numpy']}), "
        f"{counts}. All that fail are NumPy's own, listed with reasons in `tests/conformance/expected_failures.txt`."
    )


def _listed(names: Any) -> str:
    return ", ".join(names)


def _filled(text: str, width: int = 120) -> str:
    """The text with its paragraphs filled; tables, headings and lists as they are."""
    import textwrap

    blocks = text.split("\n\n")
    filled = [b if b.startswith(("|", "#", "-")) else textwrap.fill(b, width, break_on_hyphens=False) for b in blocks]
    return "\n\n".join(block.rstrip() for block in filled) + "\n"


def current() -> str:
    """The page as it should be, with the figures of the source tree that is the working directory."""
    return _filled(page(json.loads(FIGURES.read_text())))


if __name__ == "__main__":
    PAGE.write_text(current())
