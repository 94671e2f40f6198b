"""Matrix products."""

from __future__ import annotations

from typing import Any

from twingrad.xp.manipulation import expand_dims, matrix_transpose, squeeze
from twingrad.xp.primitive import primitive, unbroadcast


def _matmul_left(g: Any, out: Any, x: Any, y: Any, /) -> Any:
    """d/dx of x @ y: g y^T, with the batch axes along which x was broadcast summed away."""
    if len(y.shape) == 1:
        g, y = expand_dims(g, axis=-1), expand_dims(y, axis=-1)
    if len(x.shape) == 1:
        g = expand_dims(g, axis=-2)
        return unbroadcast(squeeze(matmul(g, matrix_transpose(y)), axis=-2), x.shape)
    return unbroadcast(matmul(g, matrix_transpose(y)), x.shape)


def _matmul_right(g: Any, out: Any, x: Any, y: Any, /) -> Any:
    """d/dy of x @ y: x^T g."""
    vector = len(y.shape) == 1
    if vector:
        g = expand_dims(g, axis=-1)
    if len(x.shape) == 1:
        g, x = expand_dims(g, axis=-2), expand_dims(x, axis=-2)
    product = matmul(matrix_transpose(x), g)
    return unbroadcast(squeeze(product, axis=-1) if vector else product, y.shape)


matmul = primitive("matmul", _matmul_left, _matmul_right)
