"""Matrix products by cublasLt, with what stands around them in the same launch, through `nvmath.bindings.cublasLt`.

cublasLt thinks in columns: a C-contiguous (r, c) is its (c, r), of leading dimension c. So out = op(a) op(b) is asked
as out^T = op(b)^T op(a)^T: b goes first, flags stay as they are, and a vector along the rows of out^T is one along the
columns of out, as biases and their gradients are.

A plan holds the descriptors of one shape and the algorithm that cublasLt's heuristic chose for them, once. Its calls
allocate nothing and name stream and workspace, so that they can be captured. No plan: there is no such algorithm.
"""

from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from twingrad.devices import INSTALL
from twingrad.kernels.cuda import graph
from twingrad.kernels.cuda.modes import BFLOAT_16, SCALES, Mode, mode
from twingrad.namespace import Array, is_bfloat16

WORKSPACE = 32 << 20
"""Bytes that an algorithm may ask for: what NVIDIA advises for its newest GPUs."""
ALIGNMENT = 16
"""Of vectors beside a product."""
MASK_UNIT = 128
"""The rows of a ReLU's mask are bits, a multiple of so many."""

_lock = threading.Lock()


@functools.cache
def unavailable() -> str | None:
    """Why there is no cublasLt here, or None."""
    try:
        _binding().get_version()
    except Exception as error:  # of Python's import, of the loader, of a driver that is too old
        first, *_ = f"{type(error).__name__}: {error}".splitlines()
        return f"nvmath-python does not give cublasLt ({first}): {INSTALL}"
    return None


def version() -> str | None:
    """The library's name and version, or None where there is none."""
    if unavailable() is not None:
        return None
    number = int(_binding().get_version())
    return f"cublasLt {number // 10000}.{number // 100 % 100}.{number % 100}"


def mask_of(out: Array) -> Array:
    """Room for the bits of a ReLU's mask over `out`: (N, bytes)."""
    import cupy

    return cupy.empty((out.shape[0], -(-out.shape[1] // MASK_UNIT) * MASK_UNIT // 8), np.uint8)


def multiply(
    out: Array,
    a: Array,
    b: Array,
    *,
    ta: bool = False,
    tb: bool = False,
    adds: bool = False,
    tf32: bool = False,
    epilogue: str = "DEFAULT",
    vector: Array | None = None,
    mask: Array | None = None,
) -> bool:
    """out = op(a) op(b), added to out where `adds`, and what the epilogue says; False where cublasLt has no such thing.

    epilogue, by cublasLt's names: BIAS adds `vector` to each row, RELU follows, AUX writes `mask`; DRELU multiplies
    with a mask, BGRAD then sums the rows of out into `vector`; BGRADB sums those of `a` instead, where `ta`.
    C-contiguous, none empty, of dtypes as `products.product` takes them; a vector is of the dtype of `out`.
    """
    import cupy

    if vector is not None and vector.data.ptr % ALIGNMENT:
        return False
    gpu, k, how = int(out.device.id), a.shape[0 if ta else 1], mode(out, a, tf32=tf32)
    alignments = tuple(_alignment(array) for array in (a, b, out))
    beside = BFLOAT_16 if vector is not None and is_bfloat16(vector.dtype) else SCALES[how.compute][0]
    with out.device:
        plan = _plan(gpu, how, (*out.shape, k), ta, tb, adds, epilogue, beside, alignments)
        if plan is None:
            return False
        with graph.memory():
            workspace = cupy.empty(plan.workspace, np.uint8) if plan.workspace else None
        graph.perform(gpu, plan, out, a, b, vector, mask, workspace)
    return True


class Plan:
    """The descriptors of a product and its algorithm; called with arrays, their addresses, or None."""

    def __init__(
        self,
        handle: int,
        how: Mode,
        sizes: tuple[int, int, int],
        ta: bool,
        tb: bool,
        adds: bool,
        epilogue: str,
        beside: int,
        alignments: tuple[int, int, int],
    ) -> None:
        lt = self.lt = _binding()
        m, n, k = sizes
        self.handle, self.made = handle, list[tuple[Callable[[int], Any], int]]()
        weakref.finalize(self, _destroy, self.made).atexit = False
        scale, number = SCALES[how.compute]
        self.alpha, self.beta = (np.full(1, value, number) for value in (1.0, float(adds)))
        self.desc = self._made(lt.matmul_desc_create(how.compute, scale), lt.matmul_desc_destroy)
        self._describe("TRANSA", int(tb), np.int32)
        self._describe("TRANSB", int(ta), np.int32)
        self._describe("EPILOGUE", int(getattr(lt.Epilogue, epilogue)), np.uint32)
        if "AUX" in epilogue or "DRELU" in epilogue:
            self._describe("EPILOGUE_AUX_LD", -(-n // MASK_UNIT) * MASK_UNIT, np.int64)
            self._describe("EPILOGUE_AUX_POINTER", ALIGNMENT, np.int64)
        if "BIAS" in epilogue or "BGRAD" in epilogue:
            self._describe("BIAS_POINTER", ALIGNMENT, np.int64)  # the heuristic looks at its alignment alone
            self._describe("BIAS_DATA_TYPE", beside, np.int32)
        stored_a, stored_b = ((k, m) if ta else (m, k)), ((n, k) if tb else (k, n))
        self.a, self.b, self.out = (
            self._made(lt.matrix_layout_create(kind, columns, rows, columns), lt.matrix_layout_destroy)
            for kind, (rows, columns) in ((how.factors, stored_a), (how.factors, stored_b), (how.result, (m, n)))
        )
        self._choose(alignments)

    def _choose(self, alignments: tuple[int, int, int]) -> None:
        """Ask the heuristic; raises cublasLt's error where there is no algorithm."""
        lt, found = self.lt, np.zeros(1, np.int32)
        preference = self._made(lt.matmul_preference_create(), lt.matmul_preference_destroy)
        wanted = {"MAX_WORKSPACE_BYTES": np.asarray(WORKSPACE, np.uint64)}
        for name, bytes_ in zip("BACD", (*alignments, alignments[2]), strict=True):  # b goes first, and is their A
            wanted[f"MIN_ALIGNMENT_{name}_BYTES"] = np.asarray(bytes_, np.uint32)
        for name, value in wanted.items():
            attribute = int(getattr(lt.MatmulPreferenceAttribute, name))
            lt.matmul_preference_set_attribute(preference, attribute, value.ctypes.data, value.nbytes)
        self.results = lt.MatmulHeuristicResult(1)
        layouts = self.b, self.a, self.out, self.out
        asked = self.handle, self.desc, *layouts, preference, 1, int(self.results.ptr), found.ctypes.data
        lt.matmul_algo_get_heuristic(*asked)
        if not found[0]:
            raise LookupError("no algorithm")
        self.workspace = int(np.asarray(self.results.workspace_size).reshape(-1)[0])

    def __call__(self, out: Any, a: Any, b: Any, vector: Any, mask: Any, workspace: Any) -> None:
        """Queue the product on the current stream."""
        import cupy

        out, a, b, vector, mask, workspace = map(_address, (out, a, b, vector, mask, workspace))
        scalars = self.alpha.ctypes.data, self.beta.ctypes.data
        left, right, result = (b, self.b), (a, self.a), (out, self.out)
        stream = int(cupy.cuda.get_current_stream().ptr)
        with _lock:
            if vector:
                self._describe("BIAS_POINTER", vector, np.int64)
            if mask:
                self._describe("EPILOGUE_AUX_POINTER", mask, np.int64)
            begin = self.handle, self.desc, scalars[0], *left, *right, scalars[1]
            self.lt.matmul(*begin, *result, *result, int(self.results.ptr), workspace, self.workspace, stream)

    def _describe(self, name: str, value: int, kind: type[np.integer[Any]]) -> None:
        word = np.asarray(value, kind)
        attribute = int(getattr(self.lt.MatmulDescAttribute, name))
        self.lt.matmul_desc_set_attribute(self.desc, attribute, word.ctypes.data, word.nbytes)

    def _made(self, thing: int, destroy: Callable[[int], Any]) -> int:
        self.made.append((destroy, thing))
        return thing


def _destroy(made: list[tuple[Callable[[int], Any], int]]) -> None:
    for destroy, thing in made:
        destroy(thing)


@functools.lru_cache(maxsize=1024)
def _plan(gpu: int, *asked: Any) -> Plan | None:
    """The plan for a product on the current GPU, number `gpu`; None where cublasLt refuses it."""
    try:
        return Plan(_handle(gpu), *asked)
    except (LookupError, _binding().cuBLASLtError):
        return None


@functools.cache
def _handle(gpu: int) -> int:
    """One for each GPU, which must be the current one."""
    return int(_binding().create())


def _binding() -> Any:
    from nvmath.bindings import cublasLt

    return cublasLt


def _alignment(array: Array) -> int:
    """The largest power of two that divides the address, at most 256."""
    address = int(array.data.ptr)
    return min(address & -address, 256)


def _address(array: Any) -> int:
    if array is None:
        return 0
    return int(array) if isinstance(array, np.integer) else int(array.data.ptr)
