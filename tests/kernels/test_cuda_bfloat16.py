"""Kernels that store bfloat16: each is its float32 self between a widening, which is exact, and one rounding."""

from __future__ import annotations

import ctypes

import cuda_on_host
import numpy as np
import pytest

from twingrad import Tensor, fused
from twingrad import functional as F
from twingrad.autodiff.tape import Destination
from twingrad.kernels.cuda import launching, storage

import fake_cupy
from numerics import same_bits

pytest.importorskip("ml_dtypes", reason="the dtype bfloat16 is that of ml_dtypes, of the extra bf16")
from bfloat16_cases import BFLOAT16, FEWER, adversarial, assert_agrees, assert_within_one_rounding, run

pytestmark = pytest.mark.skipif(
    cuda_on_host.compiler() is None, reason="no C++ compiler to run the CUDA sources on the host"
)


@pytest.fixture
def gpu(monkeypatch):
    """CuPy of NumPy arrays whose kernels run on the host."""
    yield cuda_on_host.stand_in(monkeypatch)
    cuda_on_host.set_order(0)


def placed(values, shift):
    """A copy that starts `shift` elements after a multiple of 64 bytes, inside a guard of sevens."""
    room = np.full(values.size + 128, 7, values.dtype)
    start = (-room.ctypes.data % 64) // values.itemsize + 32 + shift
    room[start : start + values.size] = values.ravel()
    return room, fake_cupy.ndarray(room[start : start + values.size].reshape(values.shape))


def test_values_are_rounded_as_ml_dtypes_and_pytorch_round_them(gpu):
    values = adversarial()
    with np.errstate(all="ignore"):
        expected = values.astype(BFLOAT16)
    found = F.narrow(fake_cupy.ndarray(values)).get()
    assert same_bits(found, expected)
    assert np.isnan(values).sum() == np.isnan(found.astype(np.float32)).sum() > 20
    torch = pytest.importorskip("torch", reason="PyTorch, of the extra oracle, rounds too")
    theirs = torch.from_numpy(values).to(torch.bfloat16).view(torch.int16).numpy().view(BFLOAT16)
    assert same_bits(found, theirs)


def test_every_bfloat16_is_widened_exactly_and_comes_back(gpu):
    every = np.arange(2**16, dtype=np.uint16).view(BFLOAT16)
    wide = F.widen(fake_cupy.ndarray(every)).get()
    assert wide.dtype == np.float32
    assert np.array_equal(wide.view(np.uint32), np.arange(2**16, dtype=np.uint32) << 16)
    assert same_bits(F.narrow(fake_cupy.ndarray(wide)).get(), every)


@pytest.mark.parametrize("name", ["narrow", "widen"])
def test_the_gradient_of_a_conversion_is_converted_back(gpu, name):
    operation, narrows = getattr(F, name), name == "narrow"
    given, made = (np.float32, BFLOAT16) if narrows else (BFLOAT16, np.float32)
    with np.errstate(all="ignore"):
        grads = adversarial().astype(made)
        expected = grads.astype(given)
    x = Tensor(fake_cupy.ndarray(np.ones(grads.shape, given)), requires_grad=True)
    operation(x).backward(fake_cupy.ndarray(grads))
    assert same_bits(x.grad.get(), expected)


@pytest.mark.parametrize("shifts", [(0, 0), (0, 1), (3, 0), (8, 4)])
@pytest.mark.parametrize("adds", [False, True])
def test_conversions_of_all_sizes_at_any_address(gpu, adds, shifts):
    values = np.random.default_rng(1).standard_normal(70).astype(np.float32)
    for size in range(71):
        for x, before in (
            (values[:size], values[:size].astype(BFLOAT16) * 3),
            (values[:size].astype(BFLOAT16), values[:size]),
        ):
            before = np.asarray(before, BFLOAT16 if x.dtype == np.float32 else np.float32)
            room, out = placed(before, shifts[0])
            _, there = placed(x, shifts[1])
            storage.convert(out, there, adds)
            wide = x.astype(np.float32) + (before.astype(np.float32) if adds else 0)
            assert same_bits(out.get(), wide.astype(before.dtype))
            assert (room == 7).sum() >= 128


MAPS = {
    "relu": {},
    "leaky_relu": {"negative_slope": 0.2},
    "sigmoid": {},
    "tanh": {},
    "dropout": F.Mask(0.3, 1, 2, 3)._asdict(),
}


@pytest.mark.parametrize("shift", [0, 1, 8])
@pytest.mark.parametrize("name", MAPS)
def test_maps_of_all_sizes_at_any_address(gpu, name, shift):
    operation, options = getattr(F, name), MAPS[name]
    with np.errstate(all="ignore"):
        values = adversarial()[:70].astype(BFLOAT16)
    grads = np.random.default_rng(2).standard_normal(70).astype(BFLOAT16)
    for size in range(71):
        results = []
        for place in (lambda a: a, lambda a: placed(a, shift)[1]):
            x = Tensor(place(values[:size]), requires_grad=True)
            with np.errstate(all="ignore"):
                out = operation(x, **options)
                out.backward(place(grads[:size]))
            results.append([getattr(a, "host", a) for a in (out.data, x.grad)])
        for expected, found in zip(*results, strict=True):
            assert found.dtype == BFLOAT16
            if name in ("sigmoid", "tanh"):  # whose slope is told from the rounded result, as PyTorch's is
                assert_within_one_rounding(found, expected, np.abs(grads[:size].astype(np.float64)) * 2.0**-7)
            else:
                assert same_bits(found, expected)


@pytest.mark.parametrize("row", FEWER, ids=repr)
def test_kernels_agree_with_their_definition(gpu, row):
    expected = run(row, lambda a: np.array(a), "auto")
    found = run(row, lambda a: fake_cupy.ndarray(np.array(a)), "require")
    assert_agrees(row, found, expected)


SOME = [row for i, row in enumerate(FEWER) if i % 9 == 0]


@pytest.mark.parametrize("row", SOME, ids=repr)
def test_neither_blocks_nor_the_order_of_threads_nor_addresses_change_a_bit(gpu, monkeypatch, row):
    expected = run(row, lambda a: fake_cupy.ndarray(np.array(a)), "require")
    for order, most, shift in ((1, 1, 0), (2, 3, 0), (0, 16, 1)):
        cuda_on_host.set_order(order)
        monkeypatch.setattr(launching, "BLOCKS_PER_PROCESSOR", most)
        found = run(row, lambda a, shift=shift: placed(np.asarray(a), shift)[1], "require")
        assert all(same_bits(a, b) for a, b in zip(found, expected, strict=True))


def test_gradients_are_added_in_float32_and_rounded_once(gpu):
    x, before = (np.random.default_rng(i).standard_normal(100).astype(BFLOAT16) for i in (3, 4))
    from twingrad.fusable import registry

    kernel = registry["sigmoid"].kernels["cuda"]
    out, saved = kernel.forward(fake_cupy.ndarray(x))
    place = fake_cupy.ndarray(before.copy())
    kernel.backward(saved, fake_cupy.ndarray(np.ones(100, BFLOAT16)), (Destination(place, True),))
    s = out.get().astype(np.float32)
    assert same_bits(place.get(), (before.astype(np.float32) + s * (np.float32(1) - s)).astype(BFLOAT16))


def test_an_unfinished_type_is_refused_by_its_name(gpu):
    half = fake_cupy.ndarray(np.ones(3, np.float16))
    with (
        fused("require"),
        pytest.raises(Exception, match="x has dtype float16; there are CUDA kernels for float32, float64"),
    ):
        F.relu(half)


def test_products_in_float32_leave_bfloat16_factors_unrounded(gpu):
    from twingrad.kernels.cuda.products import product

    a, b = (np.random.default_rng(i).standard_normal((9, 9)).astype(BFLOAT16) for i in (5, 6))
    out, before = fake_cupy.ndarray(np.ones((9, 9), np.float32)), np.float32(1)
    product(out, fake_cupy.ndarray(a), fake_cupy.ndarray(b), ta=True, adds=True)
    np.testing.assert_allclose(out.get(), a.astype(np.float32).T @ b.astype(np.float32) + before, rtol=1e-6)
    assert ctypes.sizeof(ctypes.c_float) == out.host.itemsize
