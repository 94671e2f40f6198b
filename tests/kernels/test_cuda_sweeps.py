"""The CUDA kernels' walks over rows and columns on the host: many shapes, numbers of blocks and addresses."""

from __future__ import annotations

import functools

import cuda_on_host
import numpy as np
import pytest
from cuda_cases import assert_words_equal, draw

import twingrad as tg
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
    for shift in (0, 3):
        array, room = put(out, shift)
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


def batch_norm(place, x, tail=None, **options):
    parts = [np.ones(x.shape[1]), *(drawn(x.shape[1], seed=seed) for seed in (1, 2)), np.ones(x.shape[1])]
    weight, bias, mean, var = (place(part.astype(wide(x))) for part in parts)
    return F.batch_norm(place(x), weight, bias, mean, var, training=True, tail=tail)


def layer_norm(place, x):
    weight, bias = (place(drawn(x.shape[1], seed=seed, dtype=wide(x))) for seed in (1, 2))
    return F.layer_norm(place(x), weight, bias)


def soft_cross_entropy(place, x):
    rng = np.random.default_rng(5)
    target, weights, examples = rng.random(x.shape), rng.random(x.shape[1]), rng.random(x.shape[0])
    given = [place(array.astype(wide(x))).data for array in (target / target.sum(1, keepdims=True), weights, examples)]
    return F.softmax_cross_entropy(place(x), *given, reduction="none")


def cross_entropy(place, x):
    target = np.random.default_rng(5).integers(0, x.shape[1], len(x))
    return F.softmax_cross_entropy(place(x), place(target).data)


def error(place, x):
    rng = np.random.default_rng(5)
    target, pairs, examples = rng.random(x.shape), rng.random((x.shape[1], 2)), rng.random(x.shape[0])
    given = [place(array.astype(wide(x))).data for array in (target, pairs, examples)]
    given.append(place(rng.random(x.shape) < 0.7).data)
    return F.binary_cross_entropy(place(x), *given, reduction="none")


def embedding(place, x):
    return F.embedding(place(np.random.default_rng(5).integers(0, len(x), 2 * len(x))).data, place(x))


def wide(x):
    return np.float64 if x.dtype == np.float64 else np.float32


WALKS = {
    "batch norm": batch_norm,
    "batch norm, sigmoid": functools.partial(batch_norm, tail=F.Tail("sigmoid")),
    "batch norm, relu, dropout": functools.partial(batch_norm, tail=TAILS["dropout"]),
    "layer norm": layer_norm,
    "softmax": lambda place, x: F.softmax(place(x)),
    "cross-entropy": cross_entropy,
    "soft cross-entropy": soft_cross_entropy,
    "binary cross-entropy": error,
    "embedding": embedding,
}
"""Results of x, and of other arrays that a function puts somewhere."""


@pytest.mark.parametrize("shape", [(3, 1), (40, 10), (5, 8), (33, 24), (130, 32), (9, 65), (2, 1032), (3, 1031)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("walk", WALKS)
def test_16_bytes_at_once_give_the_bits_of_one_by_one(gpu, walk, dtype, shape):
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    found = []
    for shift in (0, 1):
        leaves = []

        def place(array, shift=shift, leaves=leaves):
            leaves.append(tg.Tensor(put(array, shift)[0], requires_grad=array.dtype.kind not in "bi"))
            return leaves[-1]

        out = WALKS[walk](place, drawn(*shape).astype(dtype))
        out.backward(put(drawn(*out.shape, seed=3).astype(out.dtype), shift)[0] if out.shape else None)
        gradients = [leaf.grad for leaf in leaves if leaf.grad is not None]
        assert gradients
        found.append([array.get().tobytes() for array in (out.data, *gradients, *(leaf.data for leaf in leaves))])
    assert found[0] == found[1]


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
