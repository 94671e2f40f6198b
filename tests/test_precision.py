"""Precision on the CPU, which computes in bf16 what a GPU does: beside PyTorch, and what masters and copies promise."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pytest

import twingrad as tg
from twingrad import functional as F
from twingrad import nn, optim, precision
from twingrad.devices import Device
from twingrad.errors import PrecisionError
from twingrad.precision import PRECISIONS, PrecisionWarning, use_precision

from kernels_here import no_kernels
from networks import OPTIMIZERS, batch, everything, network, stepper
from numerics import relative_error, same_bits

ml_dtypes = pytest.importorskip("ml_dtypes", reason="the dtype bfloat16 is that of ml_dtypes, of the extra bf16")
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)

pytestmark = pytest.mark.filterwarnings("ignore::twingrad.precision.PrecisionWarning")


def trained(name, optimizer="adam", steps=6, **options):
    """A network after some steps in a precision, with its optimizer and its losses."""
    model = network()
    chosen = OPTIMIZERS[optimizer](model, **options)
    step = stepper(model, chosen)
    with use_precision(name):
        losses = [float(step(*batch(seed=i))) for i in range(steps)]
    return model, chosen, losses


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_masters_are_float32_and_their_copies_are_rounded_by_the_step(optimizer):
    model, _, _ = trained("bf16", optimizer)
    flat = model.flat()
    assert flat.theta.dtype == flat.grad.dtype == np.float32
    weights = [model[0].weight.segment, model[4].weight.segment]
    assert set(weights) <= set(flat.copies.fresh())
    for segment in weights:
        offset, length = flat.segments[segment].tolist()
        kept = flat.copies.array[offset : offset + length]
        assert same_bits(kept, flat.theta[offset : offset + length].astype(BFLOAT16))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_writing_copies_changes_no_bit_of_masters_and_moments(optimizer):
    found = []
    for low in (False, True):
        model = network()
        chosen = OPTIMIZERS[optimizer](model)
        flat = model.flat()
        flat.grad[...] = np.random.default_rng(3).standard_normal(flat.grad.shape).astype(np.float32)
        flat.touched[...] = True
        with use_precision("bf16" if low else "float32"):
            if low:
                for segment in range(len(flat.parameters)):
                    flat.rounded(segment)
            chosen.step()
        found.append(everything(model, chosen))
    for name, array in found[0].items():
        assert same_bits(found[1][name], array), name


def test_copies_follow_whatever_writes_the_weights():
    model, optimizer, _ = trained("bf16")
    weight, flat = model[0].weight, model.flat()

    def up_to_date():
        return same_bits(flat.rounded(weight.segment), weight.data.astype(BFLOAT16))

    model[0].weight = np.full(weight.shape, 1 / 3, np.float32)
    assert weight.segment not in flat.copies.fresh()
    assert up_to_date()
    stepper(model, optimizer)(*batch())  # in float32: outside of the block no copy is written
    assert flat.copies.fresh() == []
    assert up_to_date()
    model.load_state_dict({name: value // 3 for name, value in model.state_dict().items()})
    assert up_to_date()
    weight.requires_grad = False
    with use_precision("bf16"):
        stepper(model, optimizer)(*batch())
    assert weight.segment in flat.copies.fresh()
    assert up_to_date()


def test_a_model_returns_float32_and_layers_pass_on_bfloat16():
    model, seen = network(), []
    forward = model[4].forward
    model[4].forward = lambda x: seen.append(x.dtype) or forward(x)
    with use_precision("bf16"):
        out = model(batch()[0])
        assert model[0](batch()[0]).dtype == BFLOAT16
    assert seen == [BFLOAT16]
    assert out.dtype == np.float32
    assert same_bits(out.data, out.data.astype(BFLOAT16).astype(np.float32))
    model(batch()[0])
    assert seen[1] == np.float32


def test_statistics_and_gradients_of_parameters_are_float32():
    model, _, _ = trained("bf16")
    running = model[1].running_mean
    assert running.dtype == np.float32
    assert not same_bits(running, running.astype(BFLOAT16).astype(np.float32))
    gradient = model[0].weight.grad
    assert not same_bits(gradient, gradient.astype(BFLOAT16).astype(np.float32))


def test_bf16_stays_near_float32_and_tf32_is_float32_on_a_cpu():
    (_, _, plain), (_, _, low), (_, _, tf32) = (trained(name, steps=30) for name in ("float32", "bf16", "tf32"))
    assert tf32 == plain
    assert low != plain
    np.testing.assert_allclose(low, plain, rtol=0.02)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_step_beside_pytorchs(batch_norm):
    """PyTorch's autocast rounds bias and dW too: gradients agree to 2%, losses to 0.5%, and both to float32 so far."""
    torch = pytest.importorskip("torch", reason="PyTorch, of the extra oracle, is the peer")
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((64, 20)).astype(np.float32), rng.integers(0, 5, 64)
    middle = [nn.BatchNorm(30)] * batch_norm
    model = nn.Sequential(nn.Linear(20, 30), *middle, nn.ReLU(), nn.Linear(30, 30), nn.Tanh(), nn.Linear(30, 5), seed=1)
    model(x)
    theirs = torch.nn.Sequential(
        torch.nn.Linear(20, 30),
        *[torch.nn.BatchNorm1d(30)] * batch_norm,
        torch.nn.ReLU(),
        torch.nn.Linear(30, 30),
        torch.nn.Tanh(),
        torch.nn.Linear(30, 5),
    )
    theirs.load_state_dict({name: torch.from_numpy(np.array(a)) for name, a in model.state_dict().items()}, strict=True)
    ours, other = optim.Adam(model, lr=1e-2), torch.optim.Adam(theirs.parameters(), lr=1e-2)
    for _ in range(5):
        with use_precision("bf16"):
            loss = F.softmax_cross_entropy(model(x), y)
            ours.zero_grad()
            loss.backward()
            ours.step()
        with torch.autocast("cpu", torch.bfloat16):
            expected = torch.nn.functional.cross_entropy(theirs(torch.from_numpy(x)), torch.from_numpy(y))
        other.zero_grad()
        expected.backward()
        other.step()
        assert float(loss) == pytest.approx(expected.item(), rel=5e-3)
        for mine, parameter in zip(model.parameters(), theirs.parameters(), strict=True):
            hidden_by_batch_norm = batch_norm and mine is model[0].bias
            assert hidden_by_batch_norm or relative_error(mine.grad, parameter.grad.numpy()) < 0.02


def test_a_fit_in_bf16_learns_and_resumes_to_the_same_bits(tmp_path):
    data = tg.data.load("digits").split(seed=0)

    def run(epochs, **options):
        model = nn.Sequential(
            nn.Linear(64, 32), nn.BatchNorm(32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 10), seed=0
        )
        given = {"epochs": epochs, "device": "cpu", "precision": "bf16", "keep": "last", "checkpoint_every": None}
        return tg.fit(model, data, optimizer=optim.Adam(lr=3e-3), **given | options), model

    history, whole = run(4)
    assert history.best.dev_accuracy > 0.8
    why = "a CPU has no kernels that store bfloat16"
    assert history.step == f"eager (bf16 cannot be captured: {why})"
    assert "narrow" not in history.path
    if history.path.startswith("fused"):  # where there are kernels at all
        assert history.path == f"fused; bf16 by the reference ({why})"
    run(2, out=tmp_path / "run")
    _, resumed = run(4, resume=tmp_path / "run")
    assert same_bits(resumed.flat().theta, whole.flat().theta)
    with pytest.raises(ValueError, match="precision"):
        run(6, resume=tmp_path / "run", precision="float32")


# --- bad input -------------------------------------------------------------------------------------------------------


def test_an_unknown_precision_names_the_three():
    for name in ("fp16", "BF16", None):
        with pytest.raises(ValueError, match="precision is one of float32, tf32, bf16; got"), use_precision(name):
            pass
    with pytest.raises(ValueError, match="precision is one of float32, tf32, bf16; got 'half'"):
        tg.fit(network(), tg.data.load("digits"), precision="half")


def test_what_a_device_has_is_said_once_and_what_it_lacks_raises(monkeypatch):
    precision.on_device.cache_clear()
    with pytest.warns(PrecisionWarning, match="cpu has no TF32.*8.0 and newer.*is float32 here"):
        assert precision.on_device("tf32", Device("cpu")) == "float32"
    with pytest.warns(PrecisionWarning, match="bf16 on the CPU computes what a GPU does.*more slowly than float32"):
        assert precision.on_device("bf16", Device("cpu")) == "bf16"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert precision.on_device("tf32", Device("cpu")) == "float32"
    monkeypatch.setattr(precision, "_capability", lambda device: 75)
    with pytest.warns(PrecisionWarning, match="cuda has no TF32"):
        assert precision.on_device("tf32", Device("cuda")) == "float32"
    with pytest.raises(PrecisionError, match=r"'bf16' needs a GPU of .* 8\.0 or newer, and cuda has 7\.5"):
        precision.on_device("bf16", Device("cuda"))
    monkeypatch.setattr(precision, "_capability", lambda device: 90)
    precision.on_device.cache_clear()
    assert [precision.on_device(name, Device("cuda")) for name in PRECISIONS] == list(PRECISIONS)
    precision.on_device.cache_clear()


def test_without_ml_dtypes_the_cure_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    precision.bfloat16.cache_clear()
    precision.on_device.cache_clear()
    with pytest.raises(PrecisionError, match=r"needs the package ml_dtypes.*pip install 'twingrad\[bf16\]'"):
        tg.fit(nn.Linear(64, 10), tg.data.load("digits"), precision="bf16", device="cpu", epochs=1)
    monkeypatch.undo()
    precision.bfloat16.cache_clear()


def test_parameters_of_another_dtype_are_refused():
    with (
        use_precision("bf16"),
        pytest.raises(PrecisionError, match=r"Linear\(5, 7\) has parameters of float64; precision"),
    ):
        network(np.float64)(batch(dtype=np.float64)[0])


def test_arrays_of_other_libraries_have_float32_alone():
    strict = pytest.importorskip("array_api_strict", reason="array-api-strict, of the extra test")
    x = strict.asarray(np.ones((2, 5), np.float32))
    model = nn.Linear(5, 3).to(like=x)
    with (
        use_precision("bf16"),
        pytest.raises(PrecisionError, match="for arrays of NumPy and CuPy, got one of array_api"),
    ):
        model(x)
    with use_precision("tf32"):
        assert model(x).dtype == strict.float32


@pytest.mark.skipif(no_kernels() is not None, reason="no CPU kernels: nothing can be captured")
def test_a_captured_step_holds_for_its_precision():
    model = network()
    step = tg.capture(stepper(model, optim.Adam(model)))
    step(*batch())
    with use_precision("tf32"), pytest.raises(tg.CaptureError, match="the precision is no longer 'float32'"):
        step(*batch())
    with (
        use_precision("bf16"),
        pytest.raises(tg.CaptureError, match="bf16 cannot be captured: a CPU has no kernels that store bfloat16"),
    ):
        tg.capture(stepper(model, optim.Adam(model)))(*batch())


def test_conversions_refuse_other_dtypes():
    with pytest.raises(TypeError, match="narrow takes float32, got float64"):
        F.narrow(np.ones(2))
    with pytest.raises(TypeError, match="widen takes bfloat16, got float32"):
        F.widen(np.ones(2, np.float32))
    with pytest.raises(ValueError, match="linear takes a copy of its weight in bfloat16"):
        F.linear(*(np.ones((2, 2), np.float32),) * 2, copy=np.ones((2, 2), np.float32))
    theta = np.ones(3)
    with pytest.raises(ValueError, match=r"copy is bfloat16 of the shape of a float32 param; .* beside float64"):
        F.sgd_segments(theta, theta, None, np.zeros((0, 2), np.int64), np.zeros((0, 10)), copy=theta.astype(BFLOAT16))
    half = np.ones((3, 2), BFLOAT16)
    with pytest.raises(TypeError, match="batch_norm writes to an argument that is bfloat16; make that float32"):
        F.batch_norm(half, *(np.ones(2, BFLOAT16),) * 4, training=True)
