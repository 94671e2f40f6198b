"""A resident data set: rows are gathered to the bit, by steps and by captured steps alike."""

from __future__ import annotations

import cuda_on_host
import numpy as np
import pytest

import twingrad as tg
from twingrad import optim
from twingrad.data import Resident, batches

import networks
from kernels_here import no_kernels


def held_by(device):
    """Floats of every kind and labels, and the set that holds them on `device`."""
    rng = np.random.default_rng(0)
    words = rng.integers(0, 2**32, (40, 3, 2), dtype=np.uint32)
    arrays = words.view(np.float32), rng.standard_normal((40, 5)), rng.integers(-(2**62), 2**62, 40)
    return arrays, Resident(*arrays, device=device)


def test_rows_are_gathered_to_the_bit():
    arrays, held = held_by("cpu")
    index = np.asarray([39, 0, 7, 7])
    for found, array in zip(held.gather(index), arrays, strict=True):
        assert found.numpy().tobytes() == array[index].tobytes()
        assert found.shape == array[index].shape
        assert found.dtype == array.dtype
    assert (len(held), held.nbytes) == (40, sum(array.nbytes for array in arrays))
    assert repr(held) == "Resident(float32[40, 3, 2], float64[40, 5], int64[40], device='cpu')"
    assert all(own is array for own, array in zip(held.arrays, arrays, strict=True))


@pytest.mark.skipif(cuda_on_host.compiler() is None, reason="no C++ compiler to run the CUDA sources on the host")
def test_rows_are_gathered_on_a_gpu(monkeypatch):
    cuda_on_host.stand_in(monkeypatch)
    arrays, held = held_by("cuda")
    index = np.asarray([39, 0, 7, 7])
    with tg.fused("require"):
        for found, array in zip(held.gather(index), arrays, strict=True):
            assert found.data.get().tobytes() == array[index].tobytes()


def test_bytes_are_looked_up_as_they_are_gathered():
    images, table = np.arange(40, dtype=np.uint8).reshape(10, 4), (np.arange(256) / 255).astype(np.float32)
    held, index = Resident(images, np.arange(10), device="cpu", table=table), np.asarray([9, 0, 9])
    x, y = held.gather(index)
    assert x.numpy().tobytes() == table[images[index]].tobytes()
    assert y.numpy().tolist() == index.tolist()
    assert held.nbytes == 40 + 80


@pytest.mark.skipif(bool(no_kernels()), reason=str(no_kernels()))
def test_a_captured_step_gathers_its_batches():
    x, y = networks.batch(40)
    states = []
    for wrap in (tg.capture, lambda step: step):
        model, held = networks.network(), Resident(x, y, device="cpu")
        optimizer = optim.Adam(model, lr=0.01)
        plain = networks.stepper(model, optimizer)
        step = wrap(lambda index, plain=plain, held=held: plain(*held.gather(index)))
        losses = [step(index).numpy().tobytes() for epoch in range(2) for index in batches(40, 8, seed=1, epoch=epoch)]
        states.append((losses, networks.everything(model, optimizer)))
    assert states[0][0] == states[1][0]
    networks.assert_same_bits(states[0][1], states[1][1])


@pytest.mark.parametrize(
    ("arrays", "error", "message"),
    [
        ((), ValueError, "takes arrays"),
        ((np.zeros(3), np.zeros((2, 3))), ValueError, r"of one N, got shapes \[\(3,\), \(2, 3\)\]"),
        ((np.zeros(()),), ValueError, r"got shapes \[\(\)\]"),
        ((np.zeros(3, np.uint8),), TypeError, "float32, float64, int64 and, with a table, uint8; got uint8"),
        (([1.0, 2.0],), TypeError, "array API standard, got list"),
    ],
)
def test_what_cannot_be_held(arrays, error, message):
    with pytest.raises(error, match=message):
        Resident(*arrays, device="cpu")


def test_an_example_that_does_not_exist():
    with pytest.raises(ValueError, match=r"takes an index in \[0, 40\), got 40"):
        held_by("cpu")[1].gather(np.asarray([40]))
