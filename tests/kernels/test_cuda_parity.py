"""Every CUDA kernel beside its reference, without a GPU: its source on the host, blocks as loops, threads as fibers."""

from __future__ import annotations

import importlib

import cuda_on_host
import cuda_parity
import numpy as np
import pytest
from parity_rows import ROWS

from twingrad.autodiff.tape import FRESH, Destination
from twingrad.fusable import PROVIDERS, registry
from twingrad.kernels.cuda import launching

import fake_cupy
from numerics import same_bits

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


@pytest.mark.parametrize("row", [row for row in SOME if row.differentiable], ids=repr)
def test_gradients_are_added_where_they_are_to_be(gpu, monkeypatch, row):
    kernel = registry[row.operation].kernels["cuda"]
    arrays = [None if a is None else put(a) for a in row.arrays("float32")]
    wanted = [i < row.differentiable and a is not None and a.dtype.kind == "f" for i, a in enumerate(arrays)]
    with np.errstate(all="ignore"):
        out, saved = kernel.forward(*arrays, **row.options)
        grad = put(cuda_parity.seed_of(out.shape, "float32"))
        fresh = kernel.backward(saved, grad, tuple(FRESH if want else None for want in wanted))
        held = [None if a is None else put(a.get()) for a in fresh]
        again = tuple(None if a is None else Destination(a, True) for a in held)
        monkeypatch.setattr(launching, "BLOCKS_PER_PROCESSOR", 1)
        found = kernel.backward(saved, grad, again)
    for one, two, place, want in zip(fresh, found, held, wanted, strict=False):
        assert two is place
        assert (one is not None) is want
        if want and row.operation != "embedding":  # which adds look-up by look-up to what is there
            assert same_bits(two.get(), one.get() + one.get())
