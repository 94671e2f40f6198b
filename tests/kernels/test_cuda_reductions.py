"""The CUDA reductions on the host where it is hard: long sums, means far from 0, what is not finite, bad labels."""

from __future__ import annotations

import cuda_on_host
import numpy as np
import pytest
from cuda_cases import assert_words_equal

from twingrad import functional as F
from twingrad.autodiff.tape import Destination
from twingrad.fusable import fused
from twingrad.kernels.cuda import activations, dense, launching, losses, norms

import fake_cupy

pytestmark = pytest.mark.skipif(
    cuda_on_host.compiler() is None, reason="no C++ compiler to run the CUDA sources on the host"
)
NAN, INF = np.nan, np.inf


@pytest.fixture
def gpu(monkeypatch):
    cupy = cuda_on_host.stand_in(monkeypatch)
    with fused("require"), np.errstate(all="ignore"):
        yield cupy


def put(values, dtype="float32"):
    return fake_cupy.ndarray(np.array(values, dtype))


@pytest.mark.parametrize("rows", [2, 63, 64, 65, 20_000])
@pytest.mark.parametrize("columns", [1, 5, 33])
def test_a_mean_far_from_0_costs_no_digits(gpu, rows, columns):
    x = (np.random.default_rng(rows).normal(size=(rows, columns)) + 1e4).astype(np.float32)
    statistics, running = (
        tuple(put(np.zeros(columns)) for _ in range(3)),
        (put(np.zeros(columns)), put(np.ones(columns))),
    )
    norms.trained(put(x), statistics, running, 0.1, 0.0)
    shift, delta, inv_std = (array.get().astype(np.float64) for array in statistics)
    wide = x.astype(np.float64)
    np.testing.assert_allclose(shift + delta, wide.mean(axis=0), rtol=0, atol=4e-7)
    np.testing.assert_allclose(inv_std, 1 / wide.std(axis=0), rtol=2e-6)
    np.testing.assert_allclose(running[0].get(), 0.1 * wide.mean(axis=0), rtol=3e-7)
    np.testing.assert_allclose(running[1].get(), 0.9 + 0.1 * wide.var(axis=0, ddof=1), rtol=2e-6)


@pytest.mark.parametrize("rows", [1, 4095, 4096, 4097, 100_000])
def test_long_sums_keep_their_digits(gpu, rows):
    x = np.random.default_rng(1).random((rows, 3)).astype(np.float32)
    _, saved = dense.linear(put(x), put(np.ones((3, 3))), put(np.zeros(3)))
    _, _, dbias = dense.linear_backward(saved, put(x), (None, None, Destination(None, False)))
    np.testing.assert_allclose(dbias.get(), x.astype(np.float64).sum(axis=0), rtol=4e-7)
    error = F.mean_squared_error(put(x), put(np.zeros_like(x)), reduction="sum")
    np.testing.assert_allclose(float(error), (x.astype(np.float64) ** 2).sum(), rtol=6e-7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("blocks", [1, 16])
@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 1023, 1024, 1025, 4100])
@pytest.mark.parametrize("shift", [0, 1])
def test_activations_give_numpys_words_at_every_size_and_address(gpu, monkeypatch, size, blocks, shift, dtype):
    monkeypatch.setattr(launching, "BLOCKS_PER_PROCESSOR", blocks)
    room = np.full(size + 70, 7, dtype)
    start = (-room.ctypes.data % 64) // room.itemsize + shift
    room[start : start + size] = np.random.default_rng(size).normal(size=size)
    x = room[start : start + size].copy()
    array = fake_cupy.ndarray(room[start : start + size])
    assert_words_equal(F.relu(array).get(), F.relu.reference(x))
    assert_words_equal(F.leaky_relu(array).get(), F.leaky_relu.reference(x))
    kernel = activations.Kernel("activations", "leaky_relu_backward")
    kernel(array, activations.blocks_of(size), array, array, array, size, True, 0.5)  # in place, added
    assert_words_equal(array.get(), x + np.where(x > 0, x, x * room.dtype.type(0.5)))
    room[start : start + size] = 7
    assert (room == 7).all()


@pytest.mark.parametrize("columns", [3, 1500])
def test_softmax_of_what_is_not_finite(gpu, columns):
    x = np.zeros((5, columns), np.float32)
    x[1, 2], x[2, 0], x[3], x[4, 1] = NAN, -INF, -INF, INF
    np.testing.assert_array_equal(np.isnan(F.softmax(put(x)).get()), np.isnan(F.softmax.reference(x)))
    np.testing.assert_allclose(F.softmax(put(x)).get()[[0, 2]], F.softmax.reference(x)[[0, 2]], rtol=1e-6)
    target = np.full(5, 1)
    found = F.softmax_cross_entropy(put(x), put(target, "int64"), reduction="none").get()
    expected = F.softmax_cross_entropy.reference(x, target, reduction="none")
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("columns", [3, 1500])
def test_a_class_out_of_range_makes_its_row_nan_and_no_other(gpu, columns):
    x, target = np.zeros((4, columns), np.float32), [1, columns, -1, 2**40]
    out, saved = losses.softmax_cross_entropy(put(x), put(target, "int64"), reduction="none")
    (slope, *_) = losses.softmax_backward(saved, put(np.ones(4)), (Destination(None, False),))
    for found in (out.get(), slope.get()[:, 0]):
        assert np.isnan(found).tolist() == [False, True, True, True]


def test_an_embedding_gradient_adds_in_the_order_of_the_look_ups(gpu):
    rng = np.random.default_rng(0)
    indices, grad = rng.integers(0, 3, 500), (rng.normal(size=(500, 4)) * 10.0 ** rng.integers(-6, 6, (500, 1)))
    grad, expected = grad.astype(np.float32), np.ones((5, 4), np.float32)
    for row, slope in zip(indices, grad, strict=True):
        expected[row] += slope
    table = put(np.ones((5, 4)))
    activations.embedding_backward((put(indices, "int64"), table), put(grad), (None, Destination(table, True)))
    assert_words_equal(table.get(), expected)
