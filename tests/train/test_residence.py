"""Where the examples are while a model learns from them: resident or streamed, the bits of the model are the same."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

import twingrad as tg
from twingrad import backends, nn, optim
from twingrad.backends.memory import DeviceMemoryError
from twingrad.data import Dataset, Preprocessing
from twingrad.train.objective import make_objective
from twingrad.train.residence import Reading, residence

import fake_cupy

sys.path.append(str(Path(__file__).parents[1] / "kernels"))
import cuda_on_host

GIB = 2**30
compiled = pytest.mark.skipif(
    cuda_on_host.compiler() is None, reason="no C++ compiler to run the CUDA sources on the host"
)


def images(n=70, classes=3):
    """Images of bytes."""
    rng = np.random.default_rng(0)
    return Dataset(rng.integers(0, 256, (n, 4, 5), np.uint8), rng.integers(0, classes, n))


def on_disk(data, folder):
    """The same with memory-mapped features."""
    np.save(folder / "x.npy", data.x)
    return Dataset(np.load(folder / "x.npy", mmap_mode="r"), data.y)


def network(classes=3):
    return nn.Sequential(nn.Linear(20, 8), nn.BatchNorm(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, classes), seed=1)


def trained(data, device, **options):
    """The model's state after two epochs, the losses, and where the data were."""
    model = network()
    how = {"epochs": 2, "batch_size": 16, "preprocessing": "auto", "keep": "last", "optimizer": optim.Adam(lr=0.01)}
    weight = np.linspace(0.5, 1.5, len(data))
    history = tg.fit(model, data, device=device, example_weight=weight, **(how | options))
    state = {name: value.tobytes() for name, value in model.state_dict().items()}
    return state, [record.train_loss for record in history], history.data


@pytest.fixture
def gpu(monkeypatch):
    """A stand-in for a GPU with 8 GiB, its kernels on the host."""
    monkeypatch.setattr(fake_cupy.FakeDevice, "mem_info", (8 * GIB, 8 * GIB))
    return cuda_on_host.stand_in(monkeypatch)


WAYS = {
    "asked to stay": {"resident": True},
    "streamed": {"resident": False},
    "streamed without a thread": {"prefetch": 0},
    "streamed far ahead": {"prefetch": 5},
    "streamed, two batches an update": {"resident": False, "accumulate": 2},
    "eager": {"capture": "never"},
    "smoothed, streamed": {"resident": False, "label_smoothing": 0.1},
}


@pytest.mark.parametrize("options", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("mapped", [False, True], ids=["in memory", "on the disk"])
def test_on_the_cpu(tmp_path, mapped, options):
    same = {name: options[name] for name in ("accumulate", "label_smoothing") if name in options}
    data = images()
    expected = trained(data, "cpu", **same)
    found = trained(on_disk(data, tmp_path) if mapped else data, "cpu", **options)
    assert found[:2] == expected[:2]


@pytest.mark.parametrize("small", [0, None])
def test_data_on_the_disk_are_streamed_unless_they_are_small(tmp_path, monkeypatch, small):
    data = images()
    expected, mapped = trained(data, "cpu"), on_disk(data, tmp_path)
    if small is not None:
        monkeypatch.setattr("twingrad.train.residence.SMALL", small)
    found = trained(mapped, "cpu")
    assert found[:2] == expected[:2]
    assert found[2].startswith("in memory" if small is None else "streamed from the disk (")


@compiled
@pytest.mark.parametrize("mapped", [False, True], ids=["in memory", "on the disk"])
def test_on_a_gpu(gpu, tmp_path, mapped):
    data = on_disk(images(), tmp_path) if mapped else images()
    expected = trained(data, "cuda")
    assert expected[2].startswith("resident on cuda (")
    for options in ({"resident": False}, {"prefetch": 0}):
        found = trained(data, "cuda", **options)
        assert found[:2] == expected[:2]
        assert found[2] == "streamed (asked for)"
    twice = [trained(data, "cuda", accumulate=2, label_smoothing=0.1, resident=way)[:2] for way in (True, False)]
    assert twice[0] == twice[1]


@compiled
@pytest.mark.parametrize("resident", [True, False])
def test_an_epochs_last_batch_is_captured_on_a_gpu_too(gpu, resident):
    """70 examples by 16: 6 remain, and are captured when they come again."""
    found = [trained(images(), "cuda", epochs=3, resident=resident, capture=mode)[:2] for mode in ("require", "never")]
    assert found[0] == found[1]


@compiled
def test_bytes_stay_bytes_on_a_gpu_and_mean_what_they_mean_on_the_cpu(gpu):
    from twingrad.train.parts import Order, part_of

    data, model = images(), network().to("cuda")
    objective = make_objective("multi-class", 3, preprocessing=Preprocessing.fit(data))
    expected = objective.preprocessing.apply(data)
    for resident in (True, False):
        part = part_of(model, objective, data, Order(16), None, Reading(resident=resident))
        batches = [part.fetch(*given) for given in part.epoch(0, 0)]
        assert sorted(row.tobytes() for x, _ in batches for row in x.get()) == sorted(row.tobytes() for row in expected)
        assert b"".join(x.get().tobytes() for x, *_ in part.chunks(32)) == expected.tobytes()
    assert part_of(model, objective, data, Order(16)).held.arrays[0].dtype == np.uint8


@pytest.mark.parametrize(
    ("free", "reading", "stays", "told"),
    [
        (
            8 * GIB,
            Reading(),
            True,
            r"resident on cuda \(1\.9 KiB of data, 8\.0 GiB free on cuda, 2\.0 GiB of",
        ),
        (2 * GIB + 1960, Reading(), True, "resident on cuda"),
        (
            2 * GIB + 1959,
            Reading(),
            False,
            r"streamed \(1\.9 KiB of data, 2\.0 GiB free on cuda, 2\.0 GiB of",
        ),
        (0, Reading(), False, "streamed"),
        (0, Reading(resident=True), True, r"resident on cuda \(asked for\)"),
        (8 * GIB, Reading(resident=False), False, r"streamed \(asked for\)"),
        (8 * GIB, Reading(prefetch=3), False, r"streamed \(asked for\)"),
    ],
)
def test_free_memory_decides(gpu, monkeypatch, free, reading, stays, told):
    monkeypatch.setattr(fake_cupy.FakeDevice, "mem_info", (free, 8 * GIB))
    data, model = images(), network().to("cuda")
    objective = make_objective("multi-class", 3, preprocessing=Preprocessing.fit(data))
    found, where = residence(model, objective, data, None, reading)  # 20 bytes and a label of 8 an example
    assert found is stays
    assert re.match(told, where)


def test_what_the_pool_has_kept_counts_as_free(gpu, monkeypatch):
    monkeypatch.setattr(fake_cupy.FakeDevice, "mem_info", (1000, 5000))
    monkeypatch.setattr(gpu.get_default_memory_pool(), "free_bytes", lambda: 234)
    assert backends.get("cuda").memory() == (1234, 5000)


@compiled
def test_a_gpu_that_is_full_after_all(gpu, monkeypatch):
    def refuse(*args, **options):
        raise DeviceMemoryError("cuda has no room for 1.9 KiB. Three ways out: ...")

    expected = trained(images(), "cuda")
    monkeypatch.setattr("twingrad.data.Resident.__init__", refuse)
    found = trained(images(), "cuda")
    assert found[:2] == expected[:2]
    assert found[2] == "streamed (cuda has no room for 1.9 KiB)"
    with pytest.raises(DeviceMemoryError, match="no room"):
        trained(images(), "cuda", resident=True)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"resident": "yes"}, TypeError, "resident must be True, False or None; got 'yes'"),
        (
            {"resident": True, "prefetch": 2},
            ValueError,
            "prefetch=2 reads it ahead; leave out that, or resident",
        ),
        ({"resident": True, "augment": lambda x, seed, step: x}, ValueError, "and augment changes each batch anew"),
    ],
)
def test_what_contradicts_itself(options, error, message):
    with pytest.raises(error, match=message):
        trained(images(), "cpu", **options)


@pytest.mark.gpu
def test_on_a_real_gpu(tmp_path):
    data = images(5000)
    expected = trained(data, "cuda")
    assert expected[2].startswith("resident on cuda (")
    mapped = on_disk(data, tmp_path)
    for each, options in ((data, {"resident": False}), (mapped, {}), (mapped, {"resident": False, "prefetch": 4})):
        assert trained(each, "cuda", **options)[:2] == expected[:2]


def test_data_on_a_gpu_are_refused_by_name(gpu):
    there = backends.get("cuda").asarray(np.zeros((4, 20), np.float32))
    with pytest.raises(TypeError, match=r"Dataset: x must be a NumPy array: data are read on the host.*Use `.get\(\)`"):
        Dataset(there, np.arange(4) % 2)
    with pytest.raises(TypeError, match="Dataset: y must be a NumPy array"):
        Dataset(np.zeros((4, 20)), there)
    with pytest.raises(TypeError, match="batch 0 of epoch 0: x must be a NumPy array"):
        tg.fit(network(), [(there, np.arange(4) % 3)], loss="cross_entropy", device="cuda")
