"""What only a GPU can show: the CUDA kernels give NumPy's words, arrays move, and a network trains.

Run by `pytest -m gpu`, or with the timings by benchmarks/gpu_check.sh.
"""

from __future__ import annotations

import functools

import cuda_parity
import numpy as np
import pytest
from cuda_cases import DTYPES, RULES, SIZES, assert_words_equal, draw, moments, tables
from parity_rows import ROWS

import twingrad as tg
from twingrad import backends, devices, info, nn, optim
from twingrad import functional as F
from twingrad.autodiff.tape import Destination
from twingrad.fusable import fused
from twingrad.kernels.cuda import activations, cache, launching, lt, overrides
from twingrad.random import words

pytestmark = pytest.mark.gpu


@pytest.fixture
def cupy():
    return pytest.importorskip("cupy")


@pytest.fixture(params=[1, 16])
def blocks(request, monkeypatch):
    """The number of blocks for each of the GPU's processors: results do not depend on it."""
    monkeypatch.setattr(launching, "BLOCKS_PER_PROCESSOR", request.param)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", ROWS, ids=repr)
def test_kernels_agree_with_the_reference(cupy, row, dtype):
    found = cuda_parity.run(row, dtype, "require", cupy.asarray)
    cuda_parity.assert_within_bounds(row, dtype, found, cuda_parity.on_the_cpu(row, dtype))


@pytest.mark.parametrize("row", ROWS[::9], ids=repr)
def test_the_number_of_blocks_changes_no_bit(cupy, monkeypatch, row):
    expected = cuda_parity.run(row, "float32", "require", cupy.asarray)
    monkeypatch.setattr(launching, "BLOCKS_PER_PROCESSOR", 1)
    cuda_parity.assert_same_bits(cuda_parity.run(row, "float32", "require", cupy.asarray), expected)


def placed(cupy, values, shift):
    """A copy on the GPU that starts `shift` elements after the start of its memory, in a guard of 7s."""
    room = cupy.full(values.size + 64, 7, values.dtype)
    room[shift : shift + values.size] = cupy.asarray(values.ravel())
    return room, room[shift : shift + values.size]


def assert_guarded(room, size):
    assert int((room == 7).sum()) >= 64


@pytest.mark.parametrize("kind", ["one", "many"])
@pytest.mark.parametrize("shifts", [(0, 0, 0, 0, 0), (4, 8, 0, 4, 0), (1, 1, 1, 1, 1), (0, 1, 2, 3, 0)])
@pytest.mark.parametrize("size", [*SIZES, 3_000_001])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", RULES)
def test_updates_give_numpys_words(cupy, blocks, rule, dtype, size, shifts, kind):
    update, kinds = RULES[rule]
    segments, control = tables(size, kind, rule)
    values = [*(draw(size, dtype, seed) for seed in range(2)), *moments(kinds, size, dtype)]
    rooms = [
        (None, None) if value is None else placed(cupy, value, shift)
        for value, shift in zip(values, shifts, strict=False)
    ]
    there = segments, control if shifts[0] else cupy.asarray(control)
    with np.errstate(all="ignore"):
        update.reference(*values, segments, control)
    with fused("require"):
        update(*(array for _, array in rooms), *there)
    for (room, array), value in zip(rooms, values, strict=True):
        if value is not None:
            assert_words_equal(array.get(), value)
            assert_guarded(room, size)


@pytest.mark.parametrize("kind", ["one", "many"])
@pytest.mark.parametrize("max_norm", [1e-3, 1e3])
@pytest.mark.parametrize("size", [1, 63, 64, 8191, 8192, 8193, 300_001])
@pytest.mark.parametrize("dtype", DTYPES)
def test_clipping_gives_numpys_words(cupy, blocks, dtype, size, max_norm, kind):
    segments, control = tables(size, kind)
    grad, norm = np.random.default_rng(size).standard_normal(size).astype(dtype), np.zeros(1)
    there = [cupy.asarray(array) for array in (grad, segments, control, norm)]
    F.clip_segments.reference(grad, segments, control, norm, max_norm=max_norm)
    with fused("require"):
        F.clip_segments(*there, max_norm=max_norm)
    assert_words_equal(there[2].get(), control)
    assert_words_equal(there[3].get(), norm)


@pytest.mark.parametrize("shift", [0, 1, 3])
@pytest.mark.parametrize("size", [*SIZES, 3_000_001])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 1 - 2.0**-40])
def test_dropout_and_its_gradient_give_numpys_words(cupy, blocks, p, dtype, size, shift):
    key = {"p": p, "seed": 2**63 + 12345, "stream": 2**32 - 1, "step": 2**32 - 2}
    x, before = draw(size, dtype, 1), draw(size, dtype, 2)
    expected = F.dropout.reference(x, **key)
    _, array = placed(cupy, x, shift)
    with fused("require"):
        assert_words_equal(F.dropout(array, **key).get(), expected)
    _, saved = overrides.dropout_cuda(array, **key)
    for accumulate in (False, True):
        room, target = placed(cupy, before, shift)
        overrides.dropout_backward(saved, array, (Destination(target, accumulate),))
        with np.errstate(invalid="ignore"):
            assert_words_equal(target.get(), before + expected if accumulate else expected)
        assert_guarded(room, size)


def test_dropout_of_any_strides_draws_in_c_order(cupy):
    key = {"p": 0.4, "seed": 3, "stream": 5, "step": 7}
    x = draw(7 * 90, "float32", 0).reshape(7, 90)
    for take in (lambda a: a.T, lambda a: a[:, ::3], lambda a: a[::-1], lambda a: a[0, 0]):
        with fused("require"):
            found = F.dropout(take(cupy.asarray(x)), **key)
        assert_words_equal(found.get(), F.dropout.reference(np.asarray(take(x)).copy(), **key))


@pytest.mark.parametrize("size", [1, 256, 1000, 100_001])
def test_keys_are_ordered_as_numpy_orders_them(cupy, blocks, size):
    keys = np.random.default_rng(size).integers(-50, 50, size)
    assert activations.order_of(cupy.asarray(keys)).get().tolist() == np.argsort(keys, kind="stable").tolist()


@pytest.mark.parametrize("first", [0, 1, 63, 64, 1000, 2**34 + 17])
@pytest.mark.parametrize("count", [1, 17, 64, 100_001])
def test_philox_words(cupy, blocks, count, first):
    seed, stream, step = 2**64 - 59, 2**31 + 5, 2**32 - 1
    out = cupy.zeros(count, np.uint32)
    args = (
        np.int64(count),
        np.int64(first),
        np.uint64(seed),
        np.int64(stream),
        cupy.zeros(1, np.int64),
        np.int64(step),
    )
    launching.launch("philox", "philox_words", count, out, out, *args)
    expected = words(count, seed=seed, stream=stream, step=step, start=first)
    np.testing.assert_array_equal(out.get(), expected)


def test_the_reference_on_the_gpu_draws_the_same_mask(cupy):
    key = {"p": 0.3, "seed": 11, "stream": 2, "step": 5}
    x = draw(4097, "float32", 3)
    with fused("never"):
        found = F.dropout(cupy.asarray(x), **key)
    assert_words_equal(found.get(), F.dropout.reference(x, **key))


def test_arrays_move_there_and_back(cupy, monkeypatch):
    monkeypatch.delenv("TWINGRAD_DEVICE", raising=False)
    host, gpu = backends.get("cpu"), backends.get("cuda")
    values = draw(1000, "float32", 0)
    there = gpu.asarray(values)
    assert devices.device_of(there) == devices.resolve("auto") == "cuda"
    assert_words_equal(host.asarray(there), values)
    assert gpu.asarray(there) is there
    zeros = gpu.zeros_aligned(17, "float64")
    assert gpu.address(zeros) % 64 == 0
    assert not zeros.any()
    free, total = gpu.memory()
    assert 0 < free <= total
    gpu.synchronize()


def test_info_names_the_gpu_and_its_kernels(cupy):
    found = info.config()
    assert found["device"]["gpu_unused"] is None
    assert found["device"]["gpus"][0]["name"]
    assert found["cuda_kernels"] == {"available": True, "reason": None, "products": lt.version()}


def test_compiled_kernels_are_kept_on_disk(cupy, tmp_path, monkeypatch):
    monkeypatch.setenv("TWINGRAD_CACHE_DIR", str(tmp_path))
    launching._module.__wrapped__("sgd", 0)
    (kept,) = tmp_path.iterdir()
    before = kept.stat().st_mtime_ns
    launching._module.__wrapped__("sgd", 0)
    assert cache.load(kept.name)
    assert kept.stat().st_mtime_ns == before


ALL_TERMS = {"clip_norm": 0.1, "clip_value": 0.05, "l1": 1e-4, "weight_decay": 0.1}


def trained(device, optimizer):
    """The losses of three steps of a small network on `device`, and its state after them as NumPy arrays.

    No bias before batch norm: its gradient is zero but for rounding, which Adam would scale up to whole steps.
    """
    model = nn.Sequential(
        nn.Linear(20, 33, bias=False), nn.BatchNorm(33), nn.ReLU(), nn.Dropout(0.3), nn.Linear(33, 5), seed=4
    )
    model.to(device)
    step = optimizer(model, lr=1e-2)
    rng = np.random.default_rng(0)
    backend = backends.get(device)
    x, y = rng.standard_normal((48, 20)).astype(np.float32), rng.integers(0, 5, 48)
    x, y = backend.asarray(x), backend.asarray(y)
    losses = []
    for _ in range(3):
        loss = F.softmax_cross_entropy(model(x), y)
        step.zero_grad()
        loss.backward()
        step.step()
        losses.append(float(loss))
    return losses, {name: np.asarray(value) for name, value in model.state_dict().items()}


@pytest.mark.parametrize(
    "options", [{}, {"clip_norm": 0.1, "clip_value": 0.05, "l1": 1e-4, "weight_decay": 0.1}], ids=["plain", "all terms"]
)
@pytest.mark.parametrize("optimizer", [optim.SGD, optim.RMSprop, optim.Adam, optim.AdamW])
def test_training_steps_agree_with_the_cpu(cupy, optimizer, options):
    losses, parameters = trained("cuda", functools.partial(optimizer, **options))
    expected_losses, expected = trained("cpu", functools.partial(optimizer, **options))
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-4)
    assert parameters.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(parameters[name], value, rtol=2e-3, atol=2e-4, err_msg=name)


def test_adam_update_takes_arrays_of_any_shape(cupy):
    values = [np.abs(draw(60, "float32", seed)).reshape(3, 4, 5) for seed in range(4)]
    there = [cupy.asarray(value) for value in values]
    with fused("require"):
        F.adam_update(*there, step=3, lr=0.1)
    with fused("never"), np.errstate(all="ignore"):
        F.adam_update(*values, step=3, lr=0.1)
    for found, value in zip(there, values, strict=True):
        assert_words_equal(found.get(), value)
    with pytest.raises(ValueError, match="C-contiguous"):
        F.adam_update(*(array.T for array in there), step=4)


def test_a_gradient_through_fused_dropout(cupy):
    x = draw(300, "float64", 5)
    x[~np.isfinite(x)] = 1.0
    key = {"p": 0.5, "seed": 0, "stream": 1, "step": 2}
    slope = tg.grad(lambda a: (F.dropout(a, **key) * a).sum())(backends.get("cuda").asarray(x))
    np.testing.assert_allclose(backends.get("cpu").asarray(slope), 2 * F.dropout.reference(x, **key), rtol=1e-12)


def left_by(wrap, layers, steps=4):
    """The losses of captured or plain steps, on batches gathered on the GPU, and what they leave."""
    model = nn.Sequential(*layers(), seed=4)
    model.to("cuda")
    optimizer = optim.Adam(model, lr=lambda step: 0.01 / (step + 1), clip_norm=0.5)
    rng = np.random.default_rng(0)
    held = tg.data.Resident(rng.standard_normal((96, 20)).astype(np.float32), rng.integers(0, 5, 96), device="cuda")

    def step(index):
        x, y = held.gather(index)
        loss = F.softmax_cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    run = wrap(step)
    orders = (index for epoch in range(steps) for index in tg.data.batches(96, 48, seed=0, epoch=epoch))
    losses = [float(run(backends.get("cuda").asarray(index))) for index in orders]
    return losses, {name: np.asarray(value) for name, value in model.state_dict().items()}


class Residual(nn.Module):
    """x and half of what a layer makes of it."""

    def __init__(self):
        self.inner = nn.Linear(33, 33)

    def forward(self, x):
        return x + 0.5 * F.tanh(self.inner(x))


NETWORKS = {
    "batch norm and dropout": lambda: (
        *(nn.Linear(20, 33, bias=False), nn.BatchNorm(33), nn.ReLU(), nn.Dropout(0.3)),
        nn.Linear(33, 5),
    ),
    "plain": lambda: (nn.Linear(20, 33), nn.ReLU(), nn.Linear(33, 17), nn.ReLU(), nn.Linear(17, 5)),
    "residual": lambda: (nn.Linear(20, 33), Residual(), nn.Linear(33, 5)),
}


@pytest.mark.parametrize("layers", NETWORKS.values(), ids=NETWORKS)
def test_captured_steps_leave_the_bits_of_plain_ones(cupy, layers):
    if lt.unavailable() is not None:
        pytest.skip(str(lt.unavailable()))
    captured, plain = (left_by(wrap, layers) for wrap in (tg.capture, lambda step: step))
    assert captured[0] == plain[0]
    assert captured[0][-1] < captured[0][0]
    for name, value in plain[1].items():
        assert captured[1][name].tobytes() == value.tobytes(), name


@pytest.mark.parametrize("shape", [(48, 20, 33), (128, 784, 512), (7, 5, 3), (1, 9, 130)])
def test_bias_and_relu_with_a_product(cupy, shape):
    """cublasLt's epilogues, where it is there, forward and through two layers backward."""
    n, i, o = shape
    rng = np.random.default_rng(1)
    shapes = (n, i), (o, i), (o,), (4, o), (4,)
    arrays = [rng.standard_normal(size).astype(np.float32) / np.float32(size[-1]) ** 0.5 for size in shapes]

    def gradients(put, mode):
        leaves = [tg.Tensor(put(array), requires_grad=True) for array in arrays]
        with fused(mode):
            hidden = F.linear(*leaves[:3], tail=F.Tail("relu"))
            (F.linear(hidden, *leaves[3:]) ** 2).sum().backward()
        return [backends.get("cpu").asarray(leaf.grad) for leaf in leaves]

    for found, expected in zip(gradients(cupy.asarray, "require"), gradients(np.array, "never"), strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-4 * float(np.abs(expected).max()))


def test_nan_before_a_relu(cupy, record_property):
    """cublasLt's ReLU is max(x, 0), which may turn NaN into 0; which it does is kept with the results."""
    x, weight = cupy.full((16, 16), np.nan, np.float32), cupy.ones((16, 16), np.float32)
    out = F.linear(x, weight, tail=F.Tail("relu")).get()
    record_property("relu_of_nan", str(float(out[0, 0])))
    assert np.isnan(out).all() or (out == 0).all()


def test_dropout_keeps_no_mask(cupy):
    used, count = cupy.get_default_memory_pool().used_bytes, 4_000_000
    x = tg.Tensor(cupy.zeros(count, np.float32), requires_grad=True)
    before = used()
    y = F.dropout(x, p=0.5, seed=0, stream=0, step=1)
    assert 4 * count <= used() - before < 4 * count + count // 16, "y, and less than a bit an element"
    y.backward(y.data)
    assert 8 * count <= used() - before < 8 * count + count // 16, "y and the gradient"
