"""`twingrad.xp.linalg`: the linear algebra of the array API standard."""

from twingrad.xp.linalg.decompositions import eigh, eigvalsh, qr, svd, svdvals
from twingrad.xp.linalg.norms import matrix_norm, vector_norm
from twingrad.xp.linalg.products import cross, diagonal, matmul, matrix_power, outer, tensordot, trace, vecdot
from twingrad.xp.linalg.solving import cholesky, det, inv, matrix_rank, pinv, slogdet, solve
from twingrad.xp.manipulation import matrix_transpose

__all__ = [
    "cholesky",
    "cross",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "inv",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]
