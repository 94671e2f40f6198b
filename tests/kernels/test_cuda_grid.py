"""The CUDA kernels' index arithmetic, on the host: the same sources, a grid as loops, equal to NumPy in every word."""

from __future__ import annotations

import re
import types

import cuda_on_host
import numpy as np
import pytest
from cuda_cases import DTYPES, RULES, SIZES, assert_words_equal, control_rows, draw, moments, tables

from twingrad import functional as F
from twingrad.autodiff.tape import Destination
from twingrad.fusable import fused
from twingrad.kernels.cuda import activations, arithmetic, build, columns, launching, losses, overrides, updates
from twingrad.random import words

import fake_cupy

pytestmark = pytest.mark.skipif(
    cuda_on_host.compiler() is None, reason="no C++ compiler to run the CUDA sources on the host"
)


@pytest.fixture(params=[1, 7])
def gpu(request, monkeypatch):
    """CuPy of NumPy arrays whose kernels run on the host, in at most as many blocks as the parameter says."""
    monkeypatch.setattr(launching, "BLOCKS_PER_PROCESSOR", request.param)
    with fused("require"):
        yield cuda_on_host.stand_in(monkeypatch)


def placed(values, shift):
    """A copy that starts `shift` elements after a multiple of 64 bytes, inside a guard of 7s on both sides."""
    room = np.full(values.size + 64, 7, values.dtype)
    start = (-room.ctypes.data % 64) // values.itemsize + shift
    room[start : start + values.size] = values.ravel()
    return room, fake_cupy.ndarray(room[start : start + values.size])


@pytest.mark.parametrize("averaged", [False, True])
@pytest.mark.parametrize("kind", ["one", "many"])
@pytest.mark.parametrize("shifts", [(4, 8, 0, 4, 0), (0, 1, 2, 3, 0)])
@pytest.mark.parametrize("size", [1, 17, 63, 1000, 1025, 5000])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", RULES)
def test_updates(gpu, rule, dtype, size, shifts, kind, averaged):
    update, kinds = RULES[rule]
    segments, control = tables(size, kind, rule)
    values = [*(draw(size, dtype, seed) for seed in range(2)), *moments(kinds, size, dtype)]
    rooms = [
        (None, None) if value is None else placed(value, shift) for value, shift in zip(values, shifts, strict=False)
    ]
    average = draw(size, dtype, 9) if averaged else None
    there = placed(average, shifts[0]) if averaged else (None, None)
    with np.errstate(all="ignore"):
        update.reference(*values, segments, control, average=average)
        update(*(array for _, array in rooms), segments, control, average=there[1])
    for (room, array), value in zip((*rooms, there), (*values, average), strict=True):
        if value is not None:
            assert_words_equal(array.get(), value)
            assert (room == 7).sum() >= 64


@pytest.mark.parametrize("steps", [(1, 1), (1, 0), (0, 1)])
@pytest.mark.parametrize("shifts", [(0, 4, 8), (0, 1, 2)])
@pytest.mark.parametrize("size", [1, 7, 1024, 3001])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", arithmetic.KERNELS)
def test_arithmetic(gpu, name, dtype, size, shifts, steps):
    x, y = (draw(size, dtype, seed)[: size if step else 1] for seed, step in enumerate(steps))
    x, y = (values if step else values.reshape(()) for values, step in zip((x, y), steps, strict=True))
    (room, out), (_, a), (_, b) = (placed(v, s) for v, s in zip((np.zeros(size, dtype), x, y), shifts, strict=True))
    a, b = (array if step else array.reshape(()) for array, step in zip((a, b), steps, strict=True))
    arithmetic.launch(name, out, a, b)
    with np.errstate(all="ignore"):
        assert_words_equal(out.get(), np.broadcast_to(getattr(np, name)(x, y), (size,)))
    assert (room == 7).sum() >= 64


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 512, 513, 1100, 3000])
@pytest.mark.parametrize("values", [1, 5, 10**6])
def test_order(gpu, size, values):
    keys = np.random.default_rng(size).integers(-values, values, size)
    found = activations.order_of(fake_cupy.ndarray(keys.copy()))
    assert found.get().tolist() == np.argsort(keys, kind="stable").tolist()


@pytest.mark.parametrize("kind", ["one", "many"])
@pytest.mark.parametrize("max_norm", [1e-3, 1e3])
@pytest.mark.parametrize("size", [1, 63, 64, 8191, 8192, 8193, 20_000])
@pytest.mark.parametrize("dtype", DTYPES)
def test_clipping(gpu, dtype, size, max_norm, kind):
    segments, control = tables(size, kind)
    grad, norm = np.random.default_rng(size).standard_normal(size).astype(dtype), np.zeros(1)
    there = [fake_cupy.ndarray(array.copy()) for array in (grad, segments, control, norm)]
    F.clip_segments.reference(grad, segments, control, norm, max_norm=max_norm, unscale=0.3)
    F.clip_segments(*there, max_norm=max_norm, unscale=0.3)
    assert norm[0] > 0 or (size == 1 and kind == "many")
    assert_words_equal(there[2].get(), control)
    assert_words_equal(there[3].get(), norm)


@pytest.mark.parametrize("shift", [0, 1, 3])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 1 - 2.0**-40])
def test_dropout_and_its_gradient(gpu, p, dtype, size, shift):
    key = {"p": p, "seed": 2**63 + 12345, "stream": 2**32 - 1, "step": 2**32 - 2}
    x, before = draw(size, dtype, 1), draw(size, dtype, 2)
    expected = F.dropout.reference(x, **key)
    _, array = placed(x, shift)
    assert_words_equal(F.dropout(array, **key).get(), expected)

    _, saved = overrides.dropout_cuda(array, **key)
    for accumulate in (False, True):
        room, target = placed(before, shift)
        (slope,) = overrides.dropout_backward(saved, array, (Destination(target, accumulate),))
        assert slope is target
        with np.errstate(invalid="ignore"):
            assert_words_equal(target.get(), before + expected if accumulate else expected)
        assert (room == 7).sum() >= 64
    assert overrides.dropout_backward(saved, array, (None,)) == (None,)


def test_dropout_of_any_strides_draws_in_c_order(gpu):
    key = {"p": 0.4, "seed": 3, "stream": 5, "step": 7}
    x = draw(7 * 90, "float32", 0).reshape(7, 90)
    for view in (x.T, x[:, ::3], x[::-1], x[0, 0]):
        found = F.dropout(fake_cupy.ndarray(view), **key)
        assert_words_equal(found.get(), F.dropout.reference(np.array(view, order="C"), **key))
    before = draw(630, "float32", 1).reshape(7, 90)
    target = fake_cupy.ndarray(before.T.copy()).T
    _, saved = overrides.dropout_cuda(fake_cupy.ndarray(x), **key)
    overrides.dropout_backward(saved, fake_cupy.ndarray(x), (Destination(target, True),))
    with np.errstate(invalid="ignore"):
        assert_words_equal(target.get(), before + F.dropout.reference(x, **key))


@pytest.mark.parametrize("first", [0, 1, 63, 64, 1000, 2**34 + 17])
@pytest.mark.parametrize("count", [1, 17, 64, 1000])
def test_philox_words(gpu, count, first):
    seed, stream, step = 2**64 - 59, 2**31 + 5, 2**32 - 1
    room, _ = placed(np.zeros(count, np.float32), 1)
    out = fake_cupy.ndarray(room.view(np.uint32))[17 : 17 + count]
    room.fill(7)
    cell = fake_cupy.ndarray(np.asarray([3], np.int64))
    args = (np.int64(count), np.int64(first), np.uint64(seed), np.int64(stream), cell, np.int64(step - 3))
    launching.launch("philox", "philox_words", count, out, out, *args)
    np.testing.assert_array_equal(out.get(), words(count, seed=seed, stream=stream, step=step, start=first))
    assert (room == 7).sum() >= 64


@pytest.mark.parametrize("dtype", DTYPES)
def test_offsets_beyond_32_bits(gpu, dtype):
    size, offset = 3000, 2**33 + 4
    values = [np.abs(draw(size, dtype, seed)) for seed in range(4)]
    _, control = tables(size, "one")
    rooms = [placed(value, 0)[0] for value in values]
    starts = [placed_at(room) for room in rooms]
    far = [at_address(start - offset * values[0].itemsize) for start in starts]
    segments = np.asarray([(0, 0), (offset, size)], np.int64)
    control = np.concatenate([control, control])
    with np.errstate(all="ignore"):
        F.adam_segments.reference(*values, np.asarray([(0, size)]), control[:1])
    tables_there = (fake_cupy.ndarray(segments), fake_cupy.ndarray(control), np.int64(2), np.int64(offset + size))
    unread = (far[0], far[0])  # in the places of the third moment and the average
    cuda_on_host.function(f"adam_segments_{dtype}")((3,), (launching.THREADS,), (*far, *unread, None, *tables_there))
    for room, start, value in zip(rooms, starts, values, strict=True):
        first = (start - room.ctypes.data) // value.itemsize
        assert_words_equal(room[first : first + size], value)
        assert (room == 7).sum() >= 64


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_table_on_the_gpu_that_leaves_the_array_is_clipped_to_it(gpu, dtype):
    size = 1500
    outside = [(-5, 10), (900, 10**6), (size, 3), (size + 40, 3), (3, -2), (2**62, 2**62), (0, 100)]
    inside = [(0, 0), (900, 600), (0, 0), (0, 0), (0, 0), (0, 0), (0, 100)]
    control = control_rows("adam", len(outside))
    values = [np.abs(np.random.default_rng(seed).standard_normal(size)).astype(dtype) for seed in range(4)]
    placed_values = [placed(value, 0) for value in values]
    there, norm, norm_there = fake_cupy.ndarray(control.copy()), np.zeros(1), fake_cupy.ndarray(np.zeros(1))
    far = fake_cupy.ndarray(np.asarray(outside, np.int64))
    F.clip_segments(placed_values[1][1], far, there, norm_there, max_norm=0.5)
    F.adam_segments(*(array for _, array in placed_values), far, there)
    F.clip_segments.reference(values[1], np.asarray(inside), control, norm, max_norm=0.5)
    F.adam_segments.reference(*values, np.asarray(inside), control)
    assert_words_equal(norm_there.get(), norm)
    for (room, array), value in zip(placed_values, values, strict=True):
        assert_words_equal(array.get(), value)
        assert (room == 7).sum() >= 64


def test_segments_are_uploaded_once_and_anew_where_they_differ(gpu):
    arrays = [fake_cupy.ndarray(np.ones(9, np.float32)) for _ in range(4)]
    segments, control = tables(9, "one")
    for _ in range(3):
        F.adam_segments(*arrays, segments, control)
    assert updates.uploaded.cache_info().misses == 1
    segments[0] = 4, 0
    before = arrays[0].get()
    F.adam_segments(*arrays, segments, control)
    assert updates.uploaded.cache_info().misses == 2
    assert_words_equal(arrays[0].get(), before)


def placed_at(room):
    """The address of the values that `placed` put in this room without a shift."""
    return room.ctypes.data + -room.ctypes.data % 64


def at_address(pointer):
    """What a kernel takes for an array: something with an address."""
    return types.SimpleNamespace(data=types.SimpleNamespace(ptr=pointer))


def test_what_a_kernel_cannot_take_is_refused_with_a_reason(gpu):
    array = fake_cupy.ndarray(np.zeros(8, np.float32))
    half = array.astype(np.float16)

    def refused(theta, grad, copy=None, **states):
        return updates.update_refusal(theta, grad, states, copy)

    assert "theta has dtype float16" in refused(half, half, m=half)
    assert "float16" in overrides._dropout_refusal(half)
    assert "theta is not C-contiguous" in refused(array[::2], array[::2], m=None)
    with gpu.cuda.Device(1):
        other = gpu.zeros(8, np.float32)
    assert "grad lives on cuda:1, its neighbour on cuda" in refused(array, other)
    assert "buffer lives on cuda:1, its neighbour on cuda" in refused(array, array, v=array, buffer=other)
    assert "not a CuPy array" in refused(array, np.zeros(8, np.float32))
    assert "copy is not C-contiguous" in refused(array, array, half[::2])
    assert refused(array, array, half, v=array, buffer=None, mean=array) is None


def test_the_launcher_and_the_sources_agree_on_the_block():
    grid = (build.SOURCES / "grid.cuh").read_text()
    assert int(re.search(r"THREADS = (\d+)", grid)[1]) == launching.THREADS
    assert int(re.search(r"TILE = (\d+)", grid)[1]) == launching.ELEMENTS


def test_python_and_the_sources_agree_on_rows_columns_and_pieces():
    grid, team, column, loss = (
        (build.SOURCES / name).read_text() for name in ("grid.cuh", "team.cuh", "columns.cuh", "losses.cu")
    )
    assert int(re.search(r"WARP = (\d+)", grid)[1]) == launching.THREADS // activations.ROWS_OF_BLOCK
    assert int(re.search(r"WIDE = (\d+)", team)[1]) == activations.WIDE
    two, more = map(int, re.search(r"HELD = sizeof\(S\) == 2 \? (\d+) : (\d+);", column).groups())
    assert {2: two, 4: more, 8: more} == columns.HELD
    assert int(re.search(r"PER_THREAD = (\d+)", loss)[1]) * launching.THREADS == losses.PIECE


@pytest.mark.parametrize("size", columns.HELD)
@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (5, 3), (63, 32), (64, 33), (4096, 1), (10**9, 1), (7, 10**9)])
def test_chunks_cover_the_rows_and_are_few(shape, size):
    found = columns.split(types.SimpleNamespace(shape=shape, dtype=types.SimpleNamespace(itemsize=size)))
    width = columns.PACK // size
    assert (found.chunks - 1) * found.chunk < max(shape[0], 1) <= max(found.chunks, 1) * found.chunk
    assert 0 <= found.chunks <= columns.MOST_CHUNKS
    assert found.chunk % (launching.THREADS // found.lanes * columns.HELD[size]) == 0
    assert found.lanes in (1, 2, 4, columns.ACROSS)
    assert found.lanes == columns.ACROSS or found.lanes // 2 * width < shape[1] <= found.lanes * width
    assert found.blocks == -(-shape[1] // (found.lanes * width)) * found.chunks


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_beyond_32_bits(gpu, dtype):
    width, number = 5, 2**33 + 3
    _, table = placed(draw(3 * width, dtype, 0), 0)
    far = at_address(table.data.ptr - number * width * table.itemsize)
    indices = fake_cupy.ndarray(np.asarray([number + 2, number, 2**40, -1], np.int64))
    out = fake_cupy.ndarray(np.zeros((4, width), dtype))
    sizes = np.int64(4), np.int64(number + 3), np.int64(width)
    cuda_on_host.function(f"embedding_{dtype}")((1,), (launching.THREADS,), (out, indices, far, *sizes))
    rows = table.get().reshape(3, width)
    assert_words_equal(out.get()[:2], rows[[2, 0]])
    assert np.isnan(out.get()[2:]).all()
