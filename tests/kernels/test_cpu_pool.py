"""The thread pool: forks, several Python threads, the BLAS's thread count, the rounding mode, programs of launches."""

from __future__ import annotations

import ctypes
import importlib
import os
import platform
import signal
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from cpu_cases import assert_same_bits, hard_values, needs_kernels, run, thread_count

import twingrad as tg
from twingrad import functional as F
from twingrad import recording
from twingrad.fusable import fused
from twingrad.kernels import cpu
from twingrad.kernels.cpu.arguments import split
from twingrad.kernels.cpu.overrides import COLUMN_SUMS, RELU, dropout, linear, relu

from processes import PATIENCE

pytestmark = needs_kernels
needs_blas = pytest.mark.skipif(not cpu.available() or cpu.blas() is not None, reason="no OpenBLAS of NumPy's wheels")
ADD = cpu.Kernel("add", 3, "q")
COUNTER = cpu.Kernel("counter_add", 1, "q")


@pytest.fixture(autouse=True)
def three_threads() -> Iterator[None]:
    with thread_count(3):
        yield


def relu_of(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    out = np.empty_like(x)
    RELU((out, x), x.size)
    return out


@pytest.fixture
def blas() -> Iterator[Any]:
    """NumPy's OpenBLAS, with two threads."""
    module = importlib.import_module("numpy._core._multiarray_umath")
    library = ctypes.CDLL(str(module.__file__))
    before = library.scipy_openblas_get_num_threads64_()
    library.scipy_openblas_set_num_threads64_(2)
    yield library
    library.scipy_openblas_set_num_threads64_(before)


def in_child(work: Any) -> int:
    """The exit status of a forked child that runs `work`: 0 where it returned true; an alarm ends one that hangs."""
    pid = os.fork()
    if pid == 0:
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(int(PATIENCE))
            os._exit(0 if work() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_a_pool_of_its_own() -> None:
    x = hard_values(200_000, "float32")
    want = relu_of(x)
    work = lambda: np.array_equal(relu_of(x), want, equal_nan=True) and threads_of_process() >= 3  # noqa: E731
    assert in_child(work) == 0
    assert_same_bits(relu_of(x), want)


def threads_of_process() -> int:
    return len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_while_another_thread_computes() -> None:
    x = hard_values(500_000, "float32")
    want, stop = relu_of(x), threading.Event()

    def busy() -> None:
        while not stop.is_set():
            relu_of(x)

    thread = threading.Thread(target=busy)
    thread.start()
    try:
        for _ in range(5):
            assert in_child(lambda: np.array_equal(relu_of(x), want, equal_nan=True)) == 0
    finally:
        stop.set()
        thread.join()


@needs_blas
def test_several_python_threads_at_once(blas: Any) -> None:
    rng = np.random.default_rng(0)
    x, weight = (rng.standard_normal(s).astype("f4") for s in ((128, 300), (200, 300)))
    want = linear(x, weight)[0]
    wrong = []

    def work() -> None:
        for _ in range(50):
            if not np.array_equal(linear(x, weight)[0], want) or np.abs(x @ weight.T - want).max() > 1e-3:
                wrong.append(threading.get_ident())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads)
    assert not wrong
    assert blas.scipy_openblas_get_num_threads64_() == 2


@needs_blas
def test_a_program_repeats_its_launches_and_restores_the_blas(blas: Any) -> None:
    rng = np.random.default_rng(0)
    x, weight, bias = (rng.standard_normal(s).astype("f4") for s in ((128, 300), (200, 300), (200,)))
    with recording.record() as recorded:
        hidden = relu(linear(x, weight, bias)[0])[0]
        out = dropout(hidden, p=0.5, seed=1, stream=2, step=3)[0]
    program = cpu.Program(recorded)
    assert len(recorded.launches) == 3
    for _ in range(3):
        x[...] = rng.standard_normal(x.shape)
        program.run()
        with fused("require"):
            want = F.dropout(F.relu(F.linear(x, weight, bias)), p=0.5, seed=1, stream=2, step=3)
        assert_same_bits(out, want)
    assert blas.scipy_openblas_get_num_threads64_() == 2


def test_a_program_keeps_its_arrays_alive_and_counts() -> None:
    cell = np.zeros(1, np.int64)
    with recording.record() as recorded:
        for amount in (1, 10):
            COUNTER((cell,), amount)
    program = cpu.Program(recorded)
    recorded.launches.clear()
    for _ in range(4):
        program.run()
    assert cell[0] == 11 * 5


def test_nothing_is_recorded_outside_a_recording() -> None:
    with recording.record() as recorded:
        pass
    relu_of(np.ones(3))
    assert recorded.launches == []


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the rounding modes below are x86's")
def test_workers_round_as_the_caller_does() -> None:
    libm = ctypes.CDLL("libm.so.6")
    x, tiny = np.ones(400_000, np.float32), np.full(400_000, 1e-10, np.float32)
    nearest, upward = np.empty_like(x), np.empty_like(x)
    ADD((nearest, x, tiny), x.size)
    assert libm.fesetround(0x800) == 0
    try:
        for _ in range(20):
            upward[...] = 0
            ADD((upward, x, tiny), x.size)
            if not (upward > 1).all():
                break
    finally:
        libm.fesetround(0)
    assert (nearest == 1).all()
    assert (upward > 1).all()
    ADD((nearest, x, tiny), x.size)
    assert (nearest == 1).all()


def test_grids_longer_than_one_job() -> None:
    """A job has at most 65535 tiles; column sums have one for 64 columns."""
    x = np.zeros((1, 70_000 * 64), np.float32)
    x[0, -1] = x[0, 0] = -1
    sums = np.full(70_000 * 64, 9, np.float32)
    partial, *sizes = split(x, 1)
    COLUMN_SUMS((sums, x, partial), *sizes, 0)
    assert_same_bits(sums, x[0])


def test_thread_counts() -> None:
    for count in (1, 4, 2):
        cpu.set_threads(count)
        assert cpu.threads() == count
        relu_of(np.ones(100_000))
    for count in (0, -1, 257):
        with pytest.raises(ValueError, match=f"1 to 256 threads, got {count}"):
            cpu.set_threads(count)


def test_threads_of_a_block() -> None:
    with tg.use_threads(2):
        assert cpu.threads() == 2
        with tg.use_threads(1):
            assert cpu.threads() == 1
        assert cpu.threads() == 2
    assert cpu.threads() == 3
    with pytest.raises(KeyError), tg.use_threads(2):
        raise KeyError
    assert cpu.threads() == 3
    with tg.use_threads(np.int64(2)):
        assert cpu.threads() == 2
    for count in (0, 257):
        with pytest.raises(ValueError, match=f"1 to 256 threads, got {count}"), tg.use_threads(count):
            pass
    for wrong in (2.0, "2", True, None):
        with pytest.raises(TypeError, match=f"threads must be an int; got {wrong!r}"), tg.use_threads(wrong):
            pass


def test_without_kernels_a_block_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "available", lambda: False)
    with tg.use_threads(5):
        assert cpu.threads() == 3


def test_workers_sleep_when_there_is_nothing_to_do() -> None:
    code = """
import time, numpy as np
from twingrad import functional as F
from twingrad.kernels import cpu
cpu.set_threads(3)
F.relu(np.ones(200_000))
def spent():
    before = time.process_time()
    time.sleep(0.2)
    return time.process_time() - before
print(min(spent() for _ in range(5)))
"""
    assert float(run(code)) < 0.02
