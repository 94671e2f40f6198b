"""What only a GPU can show of precision: its rounding instruction, its products, and steps beside the CPU's."""

from __future__ import annotations

import numpy as np
import pytest

from twingrad import backends, nn, optim
from twingrad import functional as F
from twingrad.fusable import fused
from twingrad.kernels.cuda.products import product
from twingrad.precision import PRECISIONS, on_device, use_precision

pytest.importorskip("ml_dtypes", reason="the dtype bfloat16 is that of ml_dtypes, of the extra bf16")
from bfloat16_cases import BFLOAT16, FEWER, adversarial, assert_agrees, run

from numerics import relative_error, same_bits

pytestmark = [pytest.mark.gpu, pytest.mark.filterwarnings("ignore::twingrad.precision.PrecisionWarning")]


@pytest.fixture
def cupy():
    found = pytest.importorskip("cupy")
    if int(found.cuda.Device().compute_capability) < 80:
        pytest.skip("the GPU has neither TF32 nor bfloat16")
    return found


@pytest.mark.parametrize("shift", [0, 1])
def test_values_are_rounded_and_widened_as_on_the_host(cupy, shift):
    values = adversarial()
    room = cupy.zeros(values.size + 1, np.float32)
    room[shift : shift + values.size] = cupy.asarray(values)
    with np.errstate(all="ignore"):
        expected = values.astype(BFLOAT16)
    low = F.narrow(room[shift : shift + values.size])
    assert same_bits(low.get(), expected)
    assert same_bits(F.widen(low).get(), expected.astype(np.float32))


@pytest.mark.parametrize("row", FEWER, ids=repr)
def test_kernels_agree_with_their_definition(cupy, row):
    assert_agrees(row, run(row, cupy.asarray, "require"), run(row, np.array, "auto"))


@pytest.mark.parametrize(("name", "largest", "least"), [("float32", 1e-6, 0.0), ("tf32", 1e-3, 1e-5)])
def test_products_have_the_error_of_their_precision(cupy, name, largest, least):
    a, b = (np.random.default_rng(i).standard_normal((256, 256)).astype(np.float32) for i in range(2))
    out = cupy.empty((256, 256), np.float32)
    product(out, cupy.asarray(a), cupy.asarray(b), tb=True, tf32=name == "tf32")
    assert least <= relative_error(out.get(), a.astype(np.float64) @ b.T.astype(np.float64)) < largest


def test_products_of_bfloat16_have_float32_sums(cupy):
    a, b = (np.random.default_rng(i).standard_normal((300, 200)).astype(BFLOAT16) for i in range(2))
    wide = a.astype(np.float64).T @ b.astype(np.float64)
    for dtype, bound in ((np.dtype(np.float32), 1e-6), (BFLOAT16, 4e-3)):
        out = cupy.empty((200, 200), dtype)
        product(out, cupy.asarray(a), cupy.asarray(b), ta=True)
        assert relative_error(out.get().astype(np.float64), wide) < bound


def stepped(device, name):
    """A network after four steps, and its losses."""
    rng, backend = np.random.default_rng(1), backends.get(device)
    layers = [nn.Linear(20, 40), nn.BatchNorm(40), nn.ReLU(), nn.Dropout(0.2), nn.Linear(40, 30), nn.Tanh()]
    model, losses = nn.Sequential(*layers, nn.Linear(30, 5), seed=2).to(device), []
    optimizer = optim.AdamW(model, lr=1e-2, clip_norm=5.0)
    with use_precision(name), fused("require" if device == "cuda" else "auto"):
        for _ in range(4):
            x, y = rng.standard_normal((32, 20)).astype(np.float32), rng.integers(0, 5, 32)
            loss = F.softmax_cross_entropy(model(backend.asarray(x)), backend.asarray(y))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss))
    return model, losses


@pytest.mark.parametrize(("name", "bound"), list(zip(PRECISIONS, (1e-4, 1e-2, 5e-2), strict=True)))
def test_steps_agree_with_the_cpus(cupy, name, bound):
    on_device.cache_clear()
    (found, losses), (expected, other) = (stepped(device, name) for device in ("cuda", "cpu"))
    np.testing.assert_allclose(losses, other, rtol=bound / 3)
    for one, two in zip(found.parameters(), expected.parameters(), strict=True):
        if two is not expected[0].bias:  # batch norm takes its mean away
            assert relative_error(one.held_grad().get(), two.held_grad()) < bound
    if name == "bf16":
        weight, flat = found[4].weight, found.flat()
        assert weight.segment in flat.copies.fresh()
        assert same_bits(flat.rounded(weight.segment).get(), weight.data.get().astype(BFLOAT16))
