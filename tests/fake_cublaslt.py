"""A stand-in for `nvmath.bindings.cublasLt`: what NVIDIA documents, computed by NumPy over column-major matrices.

Signatures, enumerations and the sizes of attributes are those of nvmath-python 1.0 with cublasLt 13.10. Descriptors
that were destroyed, attributes of a wrong size, matrices that do not fit, epilogues without their pointers and a
ReLU mask whose leading dimension is no multiple of 128 are errors, as there.
"""

from __future__ import annotations

import contextlib
import ctypes
import enum
import itertools
import types
from typing import Any

import numpy as np

import fake_streams

DTYPES = {0: np.dtype(np.float32), 1: np.dtype(np.float64)}
with contextlib.suppress(ImportError):
    import ml_dtypes

    DTYPES[14] = np.dtype(ml_dtypes.bfloat16)
COMPUTES = {68: (0, {(0, 0), (14, 14), (14, 0)}), 77: (0, {(0, 0)}), 70: (1, {(1, 1)})}
"""Compute types: the scale type, and the types of factors and result that go with it."""


class cuBLASLtError(Exception):
    """A status that is not success."""


class Epilogue(enum.IntEnum):
    DEFAULT = 1
    RELU = 2
    BIAS = 4
    RELU_BIAS = 6
    RELU_AUX = 130
    RELU_AUX_BIAS = 134
    DRELU = 136
    DRELU_BGRAD = 152
    BGRADA = 256
    BGRADB = 512


class MatmulDescAttribute(enum.IntEnum):
    TRANSA = 3
    TRANSB = 4
    EPILOGUE = 7
    BIAS_POINTER = 8
    EPILOGUE_AUX_POINTER = 11
    EPILOGUE_AUX_LD = 12
    BIAS_DATA_TYPE = 26


class MatmulPreferenceAttribute(enum.IntEnum):
    MAX_WORKSPACE_BYTES = 1
    MIN_ALIGNMENT_A_BYTES = 5
    MIN_ALIGNMENT_B_BYTES = 6
    MIN_ALIGNMENT_C_BYTES = 7
    MIN_ALIGNMENT_D_BYTES = 8


SIZES = {
    MatmulDescAttribute: {
        3: np.int32,
        4: np.int32,
        7: np.uint32,
        8: np.int64,
        11: np.int64,
        12: np.int64,
        26: np.int32,
    },
    MatmulPreferenceAttribute: {1: np.uint64, 5: np.uint32, 6: np.uint32, 7: np.uint32, 8: np.uint32},
}
HEURISTIC = np.dtype(
    [("algo", "<u8", 8), ("workspace_size", "<u8"), ("state", "<i4"), ("waves", "<f4"), ("r", "<i4", 4)]
)


class MatmulHeuristicResult:
    """An array of cublasLtMatmulHeuristicResult_t."""

    def __init__(self, size: int = 1) -> None:
        self.words = np.zeros(size, HEURISTIC)
        self.ptr = self.words.ctypes.data

    @property
    def workspace_size(self) -> Any:
        return self.words["workspace_size"][0] if len(self.words) == 1 else self.words["workspace_size"]


things: dict[int, Any] = {}
_numbers = itertools.count(0x1000, 16)
refused: set[str] = set()
"""Names of epilogues that the heuristic knows no algorithm for."""
calls: list[Any] = []
"""Each product: epilogue, whether it adds, the address of its result."""
WORKSPACE = 1024


def _make(**attributes: Any) -> int:
    number = next(_numbers)
    things[number] = types.SimpleNamespace(**attributes)
    return number


def create() -> int:
    return _make(kind="handle")


def get_version() -> int:
    return 130100


def matmul_desc_create(compute_type: int, scale_type: int) -> int:
    if COMPUTES[compute_type][0] != scale_type:
        raise cuBLASLtError("CUBLAS_STATUS_INVALID_VALUE")
    return _make(kind="desc", compute=compute_type, values={3: 0, 4: 0, 7: 1})


def matrix_layout_create(type: int, rows: int, cols: int, ld: int) -> int:
    if ld < rows:
        raise cuBLASLtError("CUBLAS_STATUS_INVALID_VALUE: ld < rows")
    return _make(kind="layout", type=type, rows=rows, cols=cols, ld=ld)


def matmul_preference_create() -> int:
    return _make(kind="preference", values={})


def matmul_desc_destroy(matmul_desc: int) -> None:
    del things[matmul_desc]


matrix_layout_destroy = matmul_preference_destroy = matmul_desc_destroy


def _set(thing: int, attributes: Any, attr: int, buf: int, size: int) -> None:
    kind = np.dtype(SIZES[attributes][attr])
    if size != kind.itemsize:
        raise cuBLASLtError(f"CUBLAS_STATUS_INVALID_VALUE: {attributes(attr).name} of {size} bytes")
    things[thing].values[attr] = int(np.frombuffer(ctypes.string_at(buf, size), kind)[0])


def matmul_desc_set_attribute(matmul_desc: int, attr: int, buf: int, size_in_bytes: int) -> None:
    _set(matmul_desc, MatmulDescAttribute, attr, buf, size_in_bytes)


def matmul_preference_set_attribute(pref: int, attr: int, buf: int, size_in_bytes: int) -> None:
    _set(pref, MatmulPreferenceAttribute, attr, buf, size_in_bytes)


def matmul_algo_get_heuristic(
    light_handle: int,
    operation_desc: int,
    adesc: int,
    bdesc: int,
    cdesc: int,
    ddesc: int,
    preference: int,
    requested_algo_count: int,
    heuristic_results_array: int,
    return_algo_count: int,
) -> None:
    fake_streams.forbid("a heuristic's own memory")
    assert things[light_handle].kind == "handle"
    epilogue = Epilogue(things[operation_desc].values[7])
    _shapes(operation_desc, adesc, bdesc, cdesc, ddesc)
    kind, values = things[ddesc].type, things[operation_desc].values
    beside = {"BIAS", "BGRAD"} & set(epilogue.name.replace("BGRADB", "BGRAD").split("_"))
    if epilogue.name in refused or (beside and values.get(26, kind) != kind):  # vectors are of the result's type
        raise cuBLASLtError("CUBLAS_STATUS_NOT_SUPPORTED")
    assert things[preference].values[1] >= WORKSPACE
    words = np.ctypeslib.as_array((ctypes.c_uint64 * 9).from_address(heuristic_results_array))
    words[0], words[8] = epilogue, WORKSPACE
    ctypes.c_int32.from_address(return_algo_count).value = 1


def _shapes(desc: int, adesc: int, bdesc: int, cdesc: int, ddesc: int) -> tuple[int, int, int]:
    values, (a, b, c, d) = things[desc].values, (things[n] for n in (adesc, bdesc, cdesc, ddesc))
    (m, k), (k2, n) = ((x.cols, x.rows) if t else (x.rows, x.cols) for x, t in ((a, values[3]), (b, values[4])))
    kinds = COMPUTES[things[desc].compute][1]
    if k != k2 or (d.rows, d.cols) != (m, n) or (c.rows, c.cols, c.type) != (m, n, d.type) or a.type != b.type:
        raise cuBLASLtError("CUBLAS_STATUS_INVALID_VALUE: shapes or types do not fit")
    if (a.type, d.type) not in kinds:
        raise cuBLASLtError("CUBLAS_STATUS_INVALID_VALUE: shapes or types do not fit")
    return m, n, k


def _matrix(address: int, layout: Any) -> Any:
    """A view of device memory: column-major."""
    kind = DTYPES[layout.type]
    raw = (ctypes.c_char * (layout.ld * layout.cols * kind.itemsize)).from_address(address)
    return np.ndarray((layout.rows, layout.cols), kind, raw, strides=(kind.itemsize, layout.ld * kind.itemsize))


def _scalar(address: int, scale: int) -> Any:
    return np.frombuffer(ctypes.string_at(address, DTYPES[scale].itemsize), DTYPES[scale])[0]


def matmul(
    light_handle: int,
    compute_desc: int,
    alpha: int,
    a: int,
    adesc: int,
    b: int,
    bdesc: int,
    beta: int,
    c: int,
    cdesc: int,
    d: int,
    ddesc: int,
    algo: int,
    workspace: int,
    workspace_size_in_bytes: int,
    stream: int,
) -> None:
    """D = epilogue(alpha op(A) op(B) + beta C)."""
    assert things[light_handle].kind == "handle"
    assert stream == (fake_streams.entered()[-1].ptr if fake_streams.entered() else 0)
    values, scale = dict(things[compute_desc].values), COMPUTES[things[compute_desc].compute][0]
    epilogue = Epilogue(values[7])
    _shapes(compute_desc, adesc, bdesc, cdesc, ddesc)
    assert ctypes.c_uint64.from_address(algo).value == epilogue, "the algorithm was chosen for another epilogue"
    assert workspace_size_in_bytes >= WORKSPACE
    compute = things[compute_desc].compute
    factors = _scalar(alpha, scale), _scalar(beta, scale)
    calls.append((epilogue.name, float(factors[1]), d))
    layouts = [types.SimpleNamespace(**vars(things[x])) for x in (adesc, bdesc, cdesc, ddesc)]

    def run() -> None:
        np.ctypeslib.as_array((ctypes.c_uint8 * WORKSPACE).from_address(workspace))[:] = 0xAB
        left, right, before, result = (_matrix(p, x) for p, x in zip((a, b, c, d), layouts, strict=True))
        left, right = (_factor(x, t, compute, scale) for x, t in ((left, values[3]), (right, values[4])))
        total = factors[0] * (left @ right)
        if factors[1]:
            total = total + factors[1] * before.astype(DTYPES[scale])
        result[...] = _finished(total, epilogue, values, (left, right), DTYPES[values.get(26, layouts[3].type)])

    fake_streams.queue(run)


def _factor(matrix: Any, transposed: int, compute: int, scale: int) -> Any:
    wide = matrix.astype(DTYPES[scale])
    if compute == 77:
        wide = ((wide.view(np.uint32) + np.uint32(0x1000)) & np.uint32(0xFFFFE000)).view(np.float32)
    return wide.T if transposed else wide


def _finished(total: Any, epilogue: Epilogue, values: dict[int, int], operands: Any, dtype: Any) -> Any:
    m, n = total.shape
    name = epilogue.name
    if "BIAS" in name:
        total = total + _vector(values[8], m, dtype)[:, None]
    if "AUX" in name or "DRELU" in name:
        ld, address = values[12], values[11]
        if ld % 128 or ld < m or address % 16:
            raise cuBLASLtError("CUBLAS_STATUS_INVALID_VALUE: the mask's leading dimension")
        bits = np.ctypeslib.as_array((ctypes.c_uint8 * (ld // 8 * n)).from_address(address)).reshape(n, ld // 8)
    if "AUX" in name:
        positive = np.zeros((n, ld // 8 * 8), bool)
        positive[:, :m] = (total > 0).T
        bits[...] = np.packbits(positive, axis=1, bitorder="little")
    if "DRELU" in name:
        total = total * np.unpackbits(bits, axis=1, bitorder="little")[:, :m].T.astype(total.dtype)
    elif "RELU" in name:
        total = np.maximum(total, total.dtype.type(0))
    if name == "DRELU_BGRAD":
        _vector(values[8], m, dtype)[...] = total.sum(axis=1)
    if name == "BGRADA":
        _vector(values[8], m, dtype)[...] = operands[0].sum(axis=1)
    if name == "BGRADB":
        _vector(values[8], n, dtype)[...] = operands[1].sum(axis=0)
    return total


def _vector(address: int, count: int, dtype: Any) -> Any:
    if address % 16:
        raise cuBLASLtError("CUBLAS_STATUS_INVALID_VALUE: a vector's alignment")
    return np.ndarray((count,), dtype, (ctypes.c_char * (count * dtype.itemsize)).from_address(address))
