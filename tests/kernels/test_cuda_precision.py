"""Whole steps on the CUDA path in each precision, without a GPU: what cuBLAS is asked for, and the CPU's results."""

from __future__ import annotations

import cuda_on_host
import numpy as np
import pytest

import twingrad as tg
from twingrad import functional as F
from twingrad import nn, optim, precision
from twingrad.fusable import fused
from twingrad.kernels.cuda import dense, lt, modes, products

import fake_cupy
from networks import stepper
from numerics import relative_error, same_bits

ml_dtypes = pytest.importorskip("ml_dtypes", reason="the dtype bfloat16 is that of ml_dtypes, of the extra bf16")
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)

pytestmark = [
    pytest.mark.skipif(cuda_on_host.compiler() is None, reason="no C++ compiler to run the CUDA sources on the host"),
    pytest.mark.filterwarnings("ignore::twingrad.precision.PrecisionWarning"),
]


@pytest.fixture
def gpu(monkeypatch):
    """CuPy of NumPy arrays whose kernels run on the host, which notes what each product is asked for."""
    cupy = cuda_on_host.stand_in(monkeypatch)
    cupy.asked, mode = [], lt.mode

    def noted(*product, **options):
        cupy.asked.append(mode(*product, **options))
        return cupy.asked[-1]

    for module in (lt, products):
        monkeypatch.setattr(module, "mode", noted)
    precision.on_device.cache_clear()
    yield cupy
    precision.on_device.cache_clear()


def net():
    return nn.Sequential(
        nn.Linear(20, 40),
        nn.BatchNorm(40),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(40, 30),
        nn.Tanh(),
        nn.Linear(30, 5),
        seed=2,
    )


def stepped(device, name, steps=4):
    """A network after some steps on batches of its own, its optimizer and its losses."""
    rng = np.random.default_rng(1)
    model = net()
    model.to(device)
    optimizer = optim.AdamW(model, lr=1e-2, clip_norm=5.0)
    losses = []
    with precision.use_precision(name):
        for _ in range(steps):
            x, y = rng.standard_normal((32, 20)).astype(np.float32), rng.integers(0, 5, 32)
            put = fake_cupy.ndarray if device == "cuda" else np.array
            loss = F.softmax_cross_entropy(model(put(x)), put(y))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss))
    return model, optimizer, losses


def host(array):
    return getattr(array, "host", array)


@pytest.mark.parametrize("name", precision.PRECISIONS)
def test_a_step_asks_cublas_for_its_precision(gpu, name):
    with fused("require"):
        stepped("cuda", name, 1)
    forward_and_inputs, weights = {
        "float32": (modes.Mode(0, 0, 68),) * 2,
        "tf32": (modes.Mode(0, 0, 77),) * 2,
        "bf16": (modes.Mode(14, 14, 68), modes.Mode(14, 0, 68)),
    }[name]
    assert len(gpu.asked) >= 8  # of three layers, the first of which needs no gradient of its input
    assert gpu.asked.count(weights) >= 3
    assert set(gpu.asked) == {forward_and_inputs, weights}


@pytest.mark.parametrize(("name", "bound"), [("float32", 1e-5), ("tf32", 5e-3), ("bf16", 3e-2)])
def test_steps_agree_with_the_cpus(gpu, name, bound):
    with fused("require"):
        model, _, losses = stepped("cuda", name)
    expected, _, expected_losses = stepped("cpu", "float32" if name == "tf32" else name)
    np.testing.assert_allclose(losses, expected_losses, rtol=bound / 3)
    for found, other in zip(model.parameters(), expected.parameters(), strict=True):
        if other is not expected[0].bias:  # batch norm takes its mean away
            assert relative_error(host(found.held_grad()), other.held_grad()) < bound


def test_bias_and_relu_of_bfloat16_belong_to_the_product(gpu):
    import fake_cublaslt

    rng = np.random.default_rng(3)
    x, weight = (fake_cupy.ndarray(rng.standard_normal(shape).astype(BFLOAT16)) for shape in ((16, 24), (8, 24)))
    bias, before = fake_cupy.ndarray(rng.standard_normal(8).astype(np.float32)), len(fake_cublaslt.calls)
    master = fake_cupy.ndarray(weight.get().astype(np.float32))
    with fused("require"):
        out = F.linear(x, master, bias, tail=F.Tail("relu"), copy=weight)
    assert [name for name, _, _ in fake_cublaslt.calls[before:]] == ["RELU_BIAS"]
    wide = x.get().astype(np.float32) @ master.get().T + bias.get().astype(BFLOAT16).astype(np.float32)
    assert same_bits(out.get(), np.maximum(wide, np.float32(0)).astype(BFLOAT16))


def test_copies_are_written_by_the_optimizers_launch(gpu):
    with fused("require"):
        model, _, _ = stepped("cuda", "bf16")
    flat = model.flat()
    weights = [model[i].weight.segment for i in (0, 4, 6)]
    assert set(weights) <= set(flat.copies.fresh())
    for segment in weights:
        assert same_bits(host(flat.rounded(segment)), host(flat.parameters[segment].data).astype(BFLOAT16))
    assert host(flat.theta).dtype == np.float32


def test_masters_have_the_bits_of_the_path_without_copies(gpu):
    rng, found = np.random.default_rng(5), []
    grad = rng.standard_normal(net().to("cuda").flat().grad.shape).astype(np.float32)
    for name in ("float32", "bf16"):
        model = net()
        model.to("cuda")
        optimizer = optim.Adam(model, lr=1e-2, ema=0.9)
        flat = model.flat()
        flat.grad[...] = fake_cupy.ndarray(grad)
        flat.touched[...] = True
        with precision.use_precision(name), fused("require"):
            if name == "bf16":
                flat.rounded(0)
            optimizer.step()
        found.append([host(flat.theta), *(host(state) for state in optimizer.state.values())])
    assert all(same_bits(a, b) for a, b in zip(*found, strict=True))


def ran(wrap, name):
    """Losses and masters of five steps, eager or captured, between which a weight is assigned."""
    model, rng, losses = net(), np.random.default_rng(0), []
    model.to("cuda")
    optimizer = optim.Adam(model, lr=1e-2)

    step = wrap(stepper(model, optimizer))
    with precision.use_precision(name):
        for i in range(5):
            x, y = rng.standard_normal((32, 20)).astype(np.float32), rng.integers(0, 5, 32)
            losses.append(float(step(fake_cupy.ndarray(x), fake_cupy.ndarray(y))))
            if i == 2:
                model[4].weight = model[4].weight.data * 0.5
    return losses, model


@pytest.mark.parametrize("name", precision.PRECISIONS)
def test_captured_steps_have_the_bits_of_eager_ones(gpu, name):
    (expected, eager), (found, captured) = ran(lambda step: step, name), ran(tg.capture, name)
    assert found == expected
    assert same_bits(host(captured.flat().theta), host(eager.flat().theta))
    if name == "bf16":
        assert captured.flat().copies.fresh() == eager.flat().copies.fresh() != []


CHANGES = {
    "a weight": lambda model, kept: setattr(model[4], "weight", model[4].weight.data * 0.5),
    "all of it": lambda model, kept: model.load_state_dict(kept),
    "a plain step": lambda model, kept: model.flat().memory.write(),
}


@pytest.mark.parametrize("eager_steps", [0, 2])
@pytest.mark.parametrize("change", CHANGES)
def test_replays_of_bfloat16_follow_what_changes_between_them(gpu, change, eager_steps):
    found = []
    for wrap in (tg.capture, lambda step: step):
        model, rng, losses = net(), np.random.default_rng(0), []
        model.to("cuda")
        kept, step = model.state_dict(), stepper(model, optim.Adam(model, lr=1e-2))
        captured = wrap(step)
        with precision.use_precision("bf16"):
            for i in range(6):
                x, y = rng.standard_normal((32, 20)).astype(np.float32), rng.integers(0, 5, 32)
                run = step if i < eager_steps else captured
                losses.append(float(run(fake_cupy.ndarray(x), fake_cupy.ndarray(y))))
                if i == 3:
                    CHANGES[change](model, kept)
            losses.append(host(model(fake_cupy.ndarray(x)).data).tobytes())
        found.append((losses, host(model.flat().theta).tobytes()))
    assert found[0] == found[1]


@pytest.mark.parametrize("forward", [True, False])
def test_a_refused_step_leaves_no_copy_of_what_was_undone(gpu, forward):
    """Also where the copies were made before the step, which takes none of them."""
    model = nn.Sequential(nn.Linear(20, 5), seed=1)
    model.to("cuda")
    optimizer, x = optim.SGD(model, lr=0.1), fake_cupy.ndarray(np.ones((8, 20), np.float32))

    def step(x):
        target = fake_cupy.ndarray(np.zeros((8, 5) if forward else (5, 20), np.float32))
        optimizer.zero_grad()
        loss = F.mean_squared_error(model(x) if forward else model[0].weight, target)
        loss.backward()
        optimizer.step()
        return float(loss)

    with precision.use_precision("bf16"):
        expected = model(x).data.get().tobytes()
        with pytest.raises(tg.CaptureError, match="float"):
            tg.capture(step)(x)
        assert model(x).data.get().tobytes() == expected
        segment = model[0].weight.segment
        assert same_bits(host(model.flat().rounded(segment)), host(model[0].weight.data).astype(BFLOAT16))


def test_a_gpu_without_bf16_says_so(gpu, monkeypatch):
    monkeypatch.setattr(fake_cupy.FakeDevice, "compute_capability", "75")
    with pytest.raises(tg.PrecisionError, match=r"'bf16' needs a GPU of .* 8\.0 or newer, and cuda has 7\.5"):
        stepped("cuda", "bf16")
    with pytest.warns(precision.PrecisionWarning, match="cuda has no TF32, which GPUs of compute capability 8.0"):
        stepped("cuda", "tf32", 1)
    assert {mode.compute for mode in gpu.asked} == {modes.COMPUTE_32}


def test_without_cublas_plain_products_keep_float32_sums(gpu, monkeypatch):
    monkeypatch.setattr(products, "fused", lambda: False)
    monkeypatch.setattr(dense, "fused", lambda: False)
    monkeypatch.setattr(products, "_gemm", lambda: None)
    with fused("require"):
        model, _, losses = stepped("cuda", "bf16", 1)
    _, _, expected = stepped("cpu", "bf16", 1)
    np.testing.assert_allclose(losses, expected, rtol=1e-2)
    assert model[0].weight.held_grad().dtype == np.float32
