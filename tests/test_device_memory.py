"""A GPU without room: what was asked for, what is free and three ways out, from whatever makes an array."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from twingrad import backends, devices, info
from twingrad.backends.memory import DeviceMemoryError, size
from twingrad.kernels.cuda import arguments, overrides

import fake_cupy

MESSAGE = (
    r"cuda has no room for 4\.0 KiB, an array \(32, 32\) of float32: 3 bytes of 4 bytes are free\. Three ways out: "
    r"smaller mini-batches .*batch_size=.*accumulate=.*; free what .*nvidia-smi.*free_all_blocks.*; or .*device=\"cpu\""
)


@pytest.fixture
def full(monkeypatch):
    """CuPy on a GPU on which no array finds room."""
    cupy = fake_cupy.make()
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    devices._probe.cache_clear()
    backend = backends.get("cuda")

    def refuse(*args, **kwargs):
        raise MemoryError("Out of memory allocating 4,096 bytes (allocated so far: 0 bytes).")

    for name in ("array", "zeros", "empty"):
        monkeypatch.setattr(cupy, name, refuse)
    yield backend
    devices._probe.cache_clear()


def test_moving_an_array_there(full):
    with pytest.raises(DeviceMemoryError, match=MESSAGE):
        full.asarray(np.zeros((32, 32), np.float32))
    with pytest.raises(MemoryError, match=r"an array \(2, 1\) of int64"):
        full.asarray([[1], [2]], dtype="int64")


def test_buffers_and_results_of_kernels(full):
    with pytest.raises(DeviceMemoryError, match=r"no room for 8\.0 GiB, an array \(1073741824,\) of float64"):
        full.zeros_aligned(2**30, "float64")
    with pytest.raises(DeviceMemoryError, match=MESSAGE):
        arguments.empty(fake_cupy.ndarray(np.zeros(1, np.float32)), 32, 32)


def test_info_tells_memory_and_what_is_free(full, monkeypatch):
    monkeypatch.setattr(overrides, "unavailable", lambda: "they are not asked for")
    (gpu,) = info.config()["device"]["gpus"]
    assert (gpu["memory"], gpu["memory_free"], gpu["memory_pool"]) == (4, 3, 0)
    assert gpu["precisions"] == ["float32", "tf32", "bf16"]


@pytest.mark.parametrize(
    ("count", "text"), [(1, "1 bytes"), (1024, "1.0 KiB"), (2**20 - 1, "1024.0 KiB"), (2**41, "2.0 TiB")]
)
def test_sizes_in_words(count, text):
    assert size(count) == text
