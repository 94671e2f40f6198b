"""Where a derivative does not exist, or might be taken otherwise: what the rules say there, as PyTorch does."""

from __future__ import annotations

import functools
from typing import Any

NOTES: dict[str, str] = {
    "abs": "0 at 0",
    "astype": "casts between real floating dtypes; others leave the tape",
    "atan2": "0 at x1 = x2 = 0",
    "clip": "to x where min <= x <= max, else to the bound that was taken",
    "copysign": "0 at x1 = 0; 0 by x2",
    "cumulative_prod": "never divides: zeros are no special case",
    "max": "shared equally by the elements that tie",
    "maximum": "half to each argument where they tie; a NaN loses to nothing",
    "min": "shared equally by the elements that tie",
    "minimum": "half to each argument where they tie; a NaN loses to nothing",
    "nextafter": "1 by x1, 0 by x2",
    "pow": "by x1, 0 at x1 = x2 = 0; by x2, 0 where x1 = 0 and x2 >= 0",
    "prod": "never divides: zeros are no special case",
    "remainder": "the quotient, rounded down, counts as constant",
    "repeat": "an element repeated gets the sum",
    "sort": "elements that tie keep their order, and each gets the cotangent at its place (with stable=True)",
    "std": "0 where all elements are equal",
    "take": "an element taken twice gets the sum, on every library",
    "take_along_axis": "an element taken twice gets the sum, on every library",
    "getitem": "an element picked twice gets the sum, on every library",
    "unique_all": "of the values; to the first of equal elements",
    "unique_counts": "of the values; to the first of equal elements",
    "unique_inverse": "of the values; to the first of equal elements",
    "unique_values": "to the first of equal elements",
    "where": "not by the condition",
    "fft.fftshift": "of real arrays",
    "fft.ifftshift": "of real arrays",
    "linalg.cholesky": "symmetric, though the library reads one triangle",
    "linalg.det": "of singular matrices too; its second derivative needs the inverse",
    "linalg.eigh": "symmetric; vectors of equal eigenvalues have none (infinite or NaN), the eigenvalues have",
    "linalg.eigvalsh": "symmetric; of equal eigenvalues too",
    "linalg.matrix_norm": "0 where a Frobenius norm is 0; equal shares where columns, rows or singular values tie",
    "linalg.pinv": "among matrices of the same rank",
    "linalg.qr": "of full rank; of columns beyond min(m, n) as far as their span decides",
    "linalg.slogdet": "of logabsdet; a singular matrix raises as inv does",
    "linalg.svd": "vectors of equal singular values have none (infinite or NaN), the values have; of vectors beyond "
    "min(m, n) as far as their span decides",
    "linalg.svdvals": "of equal and zero singular values too",
    "linalg.vector_norm": "0 where the norm is 0; equal shares where elements tie for ord inf, -inf; 0 for ord 0",
    "special.entr": "infinite at 0",
}
"""By function: the convention, in the words of its docstring and of docs/differentiable.md."""


def find(namespace: Any, path: str) -> Any:
    """The function `path`, such as "linalg.inv", of the namespace."""
    return functools.reduce(getattr, path.split("."), namespace)


def describe(namespace: Any) -> None:
    """Put the notes into the functions' docstrings."""
    for path, note in NOTES.items():
        function = find(namespace, path)
        function.__doc__ = f"{function.__doc__.rstrip()}\n\nDerivative: {note}.\n"
