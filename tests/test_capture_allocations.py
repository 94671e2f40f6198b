"""A replay allocates nothing: counted in Python, in NumPy, and in the compiled library."""

import gc
import platform
import resource
import shutil
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from test_capture_everything import EVERYTHING, batch_of, step_of

import twingrad as tg
from twingrad import nn, optim
from twingrad.kernels import cpu
from twingrad.kernels.cpu import loader

import networks

pytestmark = pytest.mark.skipif(not cpu.available(), reason=f"capture needs compiled kernels: {cpu.unavailable()}")


REPLAYS = 1000


def replays(what, count):
    """A captured step that has run, and a function that runs it `count` times more."""
    layer, case, optimizer = what
    captured = tg.capture(step_of(layer, case, optimizer, np.float32)[2])
    batch = batch_of(layer, case, np.float32, 0)
    for _ in range(3):
        captured(*batch)

    def run():
        for _ in range(count):
            captured(*batch)

    return captured, run


@pytest.mark.parametrize("what", EVERYTHING, ids=", ".join)
def test_replays_leave_no_python_object_behind(what):
    _, run = replays(what, REPLAYS)
    gc.collect()
    gc.disable()
    try:
        run()  # fills the interpreter's lists of free objects
        before = sys.getallocatedblocks()
        run()
        left = sys.getallocatedblocks() - before
    finally:
        gc.enable()
    assert left < REPLAYS / 2  # the interpreter's lists of free objects still grow, by some hundred


def large_step():
    """A captured step whose every array has at least 32 KiB, and its batch."""
    model = nn.Sequential(
        nn.Linear(300, 200), nn.BatchNorm(200), nn.ReLU(), nn.Dropout(0.2), nn.Linear(200, 64), seed=0
    )
    captured = tg.capture(networks.stepper(model, optim.AdamW(model, lr=0.01, clip_norm=1.0)))
    rng = np.random.default_rng(0)
    return captured, (rng.standard_normal((200, 300), np.float32), rng.integers(0, 64, 200))


def peak_of(function):
    """The largest memory that Python and NumPy held at one moment during a call, beyond what they held before."""
    function()
    tracemalloc.start()
    try:
        function()
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        function()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def test_numpy_allocates_no_array_in_a_replay():
    """Beside the loss's copy and the scalars of the optimizer's table, of 14 numbers each."""
    captured, batch = large_step()
    captured(*batch)
    assert peak_of(captured._program.run) < 512  # the call's own arguments
    assert peak_of(lambda: captured(*batch)) < 4096
    assert peak_of(lambda: np.empty((200, 300), np.float32)) > 200_000  # NumPy's arrays are counted


@pytest.mark.skipif(shutil.which("nm") is None or platform.system() != "Linux", reason="needs nm and an ELF library")
def test_the_extension_cannot_allocate():
    """It calls no allocator: nothing but the C library's threads, clock and memory moves, and mathematics."""
    told = subprocess.run(["nm", "-D", "--undefined-only", loader.FILE], capture_output=True, text=True, check=True)
    called = {line.split()[-1].partition("@")[0] for line in told.stdout.splitlines()}
    assert "pthread_create" in called
    assert not [
        name for name in called if any(part in name for part in ("alloc", "_Zn", "_Zd", "mmap", "sbrk", "free"))
    ]


def test_a_replay_touches_no_new_page():
    """Neither does the BLAS, nor the pool. The system may take pages away, but not in each of ten runs."""
    captured, batch = large_step()
    for _ in range(5):
        captured(*batch)

    def faults(replays):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(replays):
            captured._program.run()
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    assert any(faults(50) <= 2 for _ in range(10))
