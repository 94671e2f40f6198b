"""What runs the CUDA sources on the host sees a barrier that is missing, and one that not all threads reach."""

from __future__ import annotations

import cuda_on_host
import numpy as np
import pytest

import fake_cupy

pytestmark = pytest.mark.skipif(
    cuda_on_host.compiler() is None, reason="no C++ compiler to run the CUDA sources on the host"
)

SOURCE = """
#include "columns.cuh"
#include "team.cuh"
namespace of_float32 {}
namespace of_float64 {}
namespace of_bfloat16 {}
extern "C" __global__ void turned(float *out, const float *x) {
  float *room = (float *)tg::team_room();
  room[threadIdx.x] = x[threadIdx.x];
  BARRIER
  out[threadIdx.x] = room[blockDim.x - 1 - threadIdx.x];
}
"""
BARRIERS = {"whole": "__syncthreads();", "none": "", "half": "if (threadIdx.x < 128) __syncthreads();"}


def turned(barrier, order):
    """256 numbers turned around through shared memory."""
    library = cuda_on_host.built_with(SOURCE.replace("BARRIER", BARRIERS[barrier]), "turned")
    library.grid_order(order)
    out, x = fake_cupy.ndarray(np.zeros(256, np.float32)), np.arange(256, dtype=np.float32)
    cuda_on_host.function("turned", library)((1,), (256,), (out, fake_cupy.ndarray(x)))
    return out.get(), x[::-1]


@pytest.mark.parametrize("order", cuda_on_host.ORDERS)
def test_a_barrier_makes_every_order_right(order):
    np.testing.assert_array_equal(*turned("whole", order))


@pytest.mark.parametrize("order", cuda_on_host.ORDERS)
def test_without_it_memory_that_was_not_written_is_read(order):
    found, _ = turned("none", order)
    assert np.isnan(found).any()


def test_a_barrier_that_some_threads_never_reach_is_a_fault():
    with pytest.raises(AssertionError, match="threads wait at a barrier that others never reach"):
        turned("half", 0)


def test_reductions_pass_barriers_and_maps_none(monkeypatch):
    cuda_on_host.stand_in(monkeypatch)
    from twingrad import functional as F

    x = fake_cupy.ndarray(np.ones((4, 2000), np.float32))
    before = cuda_on_host.barriers()
    F.relu(x)
    assert cuda_on_host.barriers() == before
    F.softmax(x)
    assert cuda_on_host.barriers() > before
