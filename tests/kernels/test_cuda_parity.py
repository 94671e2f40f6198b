"""Every CUDA kernel beside its reference, without a GPU: its source on the host, blocks as loops, threads as fibers."""

from __future__ import annotations

import importlib

import cuda_on_host
import cuda_parity
import numpy as np
import pytest
from parity_rows import ROWS

from twingrad.fusable import PROVIDERS, registry
from twingrad.kernels.cuda import launching

import fake_cupy

pytestmark = pytest.mark.skipif(
    cuda_on_host.compiler() is None, reason="no C++ compiler to run the CUDA sources on the host"
)

WITHOUT: dict[str, str] = {}
"""Operations that have a CPU kernel and no CUDA kernel, and why."""


@pytest.fixture
def gpu(monkeypatch):
    """CuPy of NumPy arrays whose kernels run on the host."""
    yield cuda_on_host.stand_in(monkeypatch)
    cuda_on_host.set_order(0)


def put(array):
    return fake_cupy.ndarray(np.array(array))


def at_any_address(array):
    """A copy that starts one element after a multiple of 64 bytes: no kernel may read 16 bytes at once there."""
    room = np.zeros(array.nbytes + 128, np.uint8)
    start = -room.ctypes.data % 64 + array.itemsize
    placed = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    placed[...] = array
    return fake_cupy.ndarray(placed)


def test_every_operation_with_a_cpu_kernel_has_a_cuda_kernel():
    for provider in PROVIDERS.values():
        importlib.import_module(provider)
    missing = {name for name, operation in registry.items() if "cpu" in operation.kernels} - {
        name for name, operation in registry.items() if "cuda" in operation.kernels
    }
    assert missing == set(WITHOUT)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("row", ROWS, ids=repr)
def test_kernels_agree_with_the_reference(gpu, row, dtype):
    found = cuda_parity.run(row, dtype, "require", put)
    cuda_parity.assert_within_bounds(row, dtype, found, cuda_parity.on_the_cpu(row, dtype))


SOME = [row for i, row in enumerate(ROWS) if i % 9 == 0 and not row.operation.endswith("_segments")]


@pytest.mark.parametrize("row", SOME, ids=repr)
def test_neither_blocks_nor_the_order_of_threads_nor_addresses_change_a_bit(gpu, monkeypatch, row):
    expected = cuda_parity.run(row, "float32", "require", put)
    for order, most, place in ((1, 1, put), (2, 3, put), (0, 16, at_any_address)):
        cuda_on_host.set_order(order)
        monkeypatch.setattr(launching, "BLOCKS_PER_PROCESSOR", most)
        cuda_parity.assert_same_bits(cuda_parity.run(row, "float32", "require", place), expected)
