"""Batches on their way to a GPU, on streams that do nothing sooner than CUDA promises, and the waits that it takes."""

from __future__ import annotations

import sys
import threading

import numpy as np
import pytest

from twingrad.backends.memory import DeviceMemoryError
from twingrad.backends.uploads import Uploads
from twingrad.data import Prefetch

import fake_cupy
import fake_streams

SEEDS = range(30)
SIZES = (4, 4, 4, 4, 4, 5, 2)
"""Of the batches: the last two make their buffers grow, and leave room in them."""


@pytest.fixture
def put_in_place(monkeypatch):
    """put_in_place(seed): a stand-in for CuPy whose streams take their time; its streams."""

    def put(seed):
        cupy, world = fake_cupy.make(), fake_streams.World(seed)
        fake_streams.install(cupy, world)
        monkeypatch.setitem(sys.modules, "cupy", cupy)
        return world

    return put


def drawn(seed, sizes=SIZES):
    """Features as numbers and as bytes, and labels."""
    rng = np.random.default_rng(seed)
    return [(rng.random((n, 3), np.float32), rng.integers(0, 256, (n, 2), np.uint8), np.arange(n)) for n in sizes]


def lag(world, batches, held, epochs=1):
    """What steps that are queued, `held` batches each, find in the batches when the GPU comes to them."""
    uploads, found = Uploads(0, held), []
    for _ in range(epochs):
        with uploads.batches(iter(batches), Prefetch) as there:
            while group := [batch for _, batch in zip(range(held), there, strict=False)]:
                assert all(isinstance(array, fake_cupy.ndarray) for batch in group for array in batch)
                read = [[array.host for array in batch] for batch in group]
                world.current().put(lambda read=read: found.extend([a.copy() for a in batch] for batch in read))
    world.current().synchronize()
    return found


def reading():
    """The threads that read ahead."""
    return [thread for thread in threading.enumerate() if thread.name == "twingrad prefetch"]


def same(found, batches):
    """Whether all arrived as they were sent, in order."""
    if len(found) != len(batches):
        return False
    return all(np.array_equal(a, b) for pair in zip(found, batches, strict=True) for a, b in zip(*pair, strict=True))


@pytest.mark.parametrize("held", [1, 3])
@pytest.mark.parametrize("seed", SEEDS)
def test_every_step_finds_its_batches_whenever_the_gpu_comes_to_them(put_in_place, seed, held):
    batches = drawn(seed)
    assert same(lag(put_in_place(seed), batches, held, epochs=2), [*batches, *batches])
    assert not reading()


LEFT_OUT = {
    "a step that does not wait for its batch": ("Stream", "wait_event", lambda stream: stream is stream.world.null),
    "a copy that does not wait for the steps": ("Stream", "wait_event", lambda stream: stream is not stream.world.null),
    "a buffer filled before its copy": ("Event", "synchronize", lambda event: True),
}


@pytest.mark.parametrize(("kind", "method", "of"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_a_wait_that_is_left_out_is_seen(put_in_place, monkeypatch, kind, method, of):
    whole = getattr(getattr(fake_streams, kind), method)
    without = lambda self, *args: None if of(self) else whole(self, *args)  # noqa: E731
    monkeypatch.setattr(getattr(fake_streams, kind), method, without)
    batches = drawn(0, (4,) * 12)
    assert not all(same(lag(put_in_place(seed), batches, 1), batches) for seed in SEEDS)


def test_the_loop_itself_never_waits_for_the_gpu(put_in_place, monkeypatch):
    world, waits = put_in_place(0), []
    for kind in (fake_streams.Stream, fake_streams.Event):
        whole = kind.synchronize
        monkeypatch.setattr(
            kind, "synchronize", lambda self, whole=whole: waits.append(threading.current_thread().name) or whole(self)
        )
    with Uploads(0).batches(iter(drawn(0, (4,) * 9)), Prefetch) as there:
        assert len(list(there)) == 9
        assert set(waits) == {"twingrad prefetch"}
    assert world.streams


def test_what_the_source_raises_and_an_epoch_that_is_left(put_in_place):
    def broken():
        yield from drawn(0, (4, 4))
        raise OSError("the disk is gone")

    put_in_place(1)
    uploads = Uploads(0)
    with pytest.raises(OSError, match="the disk is gone"), uploads.batches(broken(), Prefetch) as there:
        assert len([next(there), next(there), next(there)]) == 3
    with uploads.batches(iter(drawn(0)), Prefetch) as there:
        next(there)
    with uploads.batches(iter([]), Prefetch) as there:
        assert list(there) == []
    assert not reading()


def test_a_gpu_without_room_for_the_buffers(put_in_place, monkeypatch):
    def refuse(*args):
        raise MemoryError

    put_in_place(2)
    monkeypatch.setattr(sys.modules["cupy"], "empty", refuse)
    with (
        pytest.raises(DeviceMemoryError, match=r"no room for 48 bytes, an array \(4, 3\) of float32"),
        Uploads(0).batches(iter(drawn(0)), Prefetch) as there,
    ):
        next(there)
