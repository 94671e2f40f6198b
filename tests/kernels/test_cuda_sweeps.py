"""The CUDA kernels' walks over rows and columns on the host: many shapes, numbers of blocks and addresses."""

from __future__ import annotations

import cuda_on_host
import numpy as np
import pytest
from cuda_cases import assert_words_equal, draw

from twingrad import functional as F
from twingrad.functional.tail import finished
from twingrad.fusable import fused
from twingrad.kernels import cpu
from twingrad.kernels.cuda import arguments, dense, launching, tails

import fake_cupy

pytestmark = pytest.mark.skipif(
    cuda_on_host.compiler() is None, reason="no C++ compiler to run the CUDA sources on the host"
)


@pytest.fixture(params=[1, 5])
def gpu(request, monkeypatch):
    """Kernels on the host, in at most as many blocks as the parameter says."""
    monkeypatch.setattr(launching, "BLOCKS_PER_PROCESSOR", request.param)
    cupy = cuda_on_host.stand_in(monkeypatch)
    with fused("require"), np.errstate(all="ignore"):
        yield cupy


def drawn(*shape, seed=0, dtype="float32"):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def put(array, shift=0):
    """A copy that starts `shift` elements after a multiple of 64 bytes, between 7s, and the room around it."""
    room = np.full(array.size + 64, 7, array.dtype)
    start = (-room.ctypes.data % 64) // room.itemsize + shift
    room[start : start + array.size] = array.ravel()
    return fake_cupy.ndarray(room[start : start + array.size].reshape(array.shape)), room


TAILS = {
    "none": None,
    "leaky": F.Tail("leaky_relu", 0.5),
    "dropout": F.Tail("relu", mask=F.Mask(0.4, 2**40 + 3, 5, 7)),
    "all dropped": F.Tail("relu", mask=F.Mask(1 - 2.0**-40, 1, 2, 3)),
}


@pytest.mark.parametrize("columns", [1, 2, 10, 15, 16, 17, 33, 63, 64, 65, 130])
@pytest.mark.parametrize("rows", [1, 3, 64, 101])
@pytest.mark.parametrize("tail", TAILS)
def test_bias_and_tail_give_the_words_of_their_functions(gpu, rows, columns, tail):
    out, bias = drawn(rows, columns), drawn(columns, seed=1)
    with fused("never"):
        expected = finished(out + bias, TAILS[tail])
    array, room = put(out, shift=3)
    numbers = tails.numbers(TAILS[tail], array)
    dense.BIAS_TAIL(array, arguments.blocks_of(array.size), array, put(bias)[0], array.size, columns, *numbers)
    assert_words_equal(array.get(), expected)
    assert (room == 7).sum() >= 64


@pytest.mark.parametrize("columns", [1, 31, 32, 33, 1023, 1024, 1025, 2500])
@pytest.mark.parametrize("rows", [1, 8, 9, 41])
def test_rows_of_every_length(gpu, rows, columns):
    x, weight, bias = drawn(rows, columns), drawn(columns, seed=1), drawn(columns, seed=2)
    for shift in (0, 1):
        (array, room), (w, _), (b, _) = put(x, shift), put(weight, shift), put(bias, shift)
        np.testing.assert_allclose(F.softmax(array).get(), F.softmax.reference(x), rtol=3e-6)
        found = F.layer_norm(array, w, b).get()
        np.testing.assert_allclose(found, F.layer_norm.reference(x, weight, bias), rtol=2e-5, atol=2e-5)
        assert (room == 7).sum() >= 64


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (64, 32), (65, 33), (257, 7), (1000, 2), (3, 100)])
def test_columns_of_every_length(gpu, shape):
    grad = drawn(*shape)
    for shift in (0, 1):
        (array, room), (bias, around) = put(grad, shift), put(np.ones(shape[1], np.float32), shift)
        assert dense.before_tail(array, array, bias, True, None) is array
        np.testing.assert_allclose(bias.get(), 1 + grad.astype(np.float64).sum(axis=0), rtol=1e-5, atol=1e-5)
        assert (room == 7).sum() >= 64
        assert (around == 7).sum() >= 64


@pytest.mark.parametrize("size", [1, 255, 256, 257, 2047, 2048, 2049, 10_000])
@pytest.mark.parametrize("loss", [F.binary_cross_entropy, F.mean_squared_error, F.mean_absolute_error])
def test_losses_of_every_size(gpu, loss, size):
    x, target = drawn(size), np.random.default_rng(3).random(size).astype(np.float32)
    for shift in (0, 1):
        (array, room), (labels, _) = put(x, shift), put(target, shift)
        each = loss(array, labels, reduction="none").get()
        np.testing.assert_allclose(each, loss.reference(x, target, reduction="none"), rtol=2e-6, atol=1e-7)
        np.testing.assert_allclose(float(loss(array, labels)), each.astype(np.float64).mean(), rtol=1e-6)
        assert (room == 7).sum() >= 64


ONCE = ("x86-64-v3", "x86-64-v4")
"""The instruction sets that multiply and add in one rounding, as every GPU does."""


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["relu", "leaky_relu", "sigmoid", "tanh", "binary_cross_entropy"])
def test_the_cpu_kernel_gives_the_same_words(gpu, name, dtype):
    if cpu.unavailable() or (cpu.instruction_set() not in ONCE and name not in ("relu", "leaky_relu")):
        pytest.skip(cpu.unavailable() or f"{cpu.instruction_set()} rounds products and sums one by one")
    x, more = draw(5000, dtype, 1), {}
    if name == "binary_cross_entropy":
        more = {"target": np.random.default_rng(2).random(5000).astype(dtype), "reduction": "none"}
    there = {key: put(a)[0] if isinstance(a, np.ndarray) else a for key, a in more.items()}
    operation = getattr(F, name)
    assert_words_equal(operation(put(x)[0], **there).get(), operation(x, **more))
