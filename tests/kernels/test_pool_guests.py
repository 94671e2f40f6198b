"""The pool in other people's processes: their threads, limits on the BLAS, forks, exits, exceptions; and no threads."""

from __future__ import annotations

import ctypes
import importlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from cpu_cases import needs_kernels, run, thread_count

import twingrad as tg
from twingrad import functional as F
from twingrad.kernels import cpu

import networks
from processes import PATIENCE

pytestmark = [
    needs_kernels,
    pytest.mark.skipif(not cpu.available() or cpu.blas() is not None, reason="no OpenBLAS of NumPy's wheels"),
]


@pytest.fixture(autouse=True)
def three_threads() -> Iterator[None]:
    with thread_count(3):
        yield


@pytest.fixture
def blas() -> Iterator[Callable[[], int]]:
    """The count of threads of NumPy's OpenBLAS, which is 2 here."""
    library = ctypes.CDLL(str(importlib.import_module("numpy._core._multiarray_umath").__file__))
    before = library.scipy_openblas_get_num_threads64_()
    library.scipy_openblas_set_num_threads64_(2)
    yield library.scipy_openblas_get_num_threads64_
    library.scipy_openblas_set_num_threads64_(before)


def captured_step(seed: int) -> tuple[Any, Any, Any, tuple[Any, Any]]:
    """A model wide enough for all threads, its optimizer, its captured step, and a batch."""
    model = tg.nn.Sequential(tg.nn.Linear(300, 400), tg.nn.BatchNorm(400), tg.nn.ReLU(), tg.nn.Linear(400, 10), seed=0)
    optimizer = tg.optim.Adam(model, lr=0.01)
    rng = np.random.default_rng(seed)
    return (
        model,
        optimizer,
        networks.stepper(model, optimizer),
        (
            rng.standard_normal((128, 300), np.float32),
            rng.integers(0, 10, 128),
        ),
    )


def trained(seed: int, wrap: Callable[[Any], Any]) -> dict[str, Any]:
    model, optimizer, step, batch = captured_step(seed)
    step = wrap(step)
    for _ in range(6):
        step(*batch)
    return networks.everything(model, optimizer)


def in_threads(*work: Callable[[], None]) -> None:
    """Run all at once; fail where one hangs or raises."""
    errors: list[BaseException] = []

    def guarded(one: Callable[[], None]) -> None:
        try:
            one()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(one,), daemon=True) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads), "a thread hangs"
    if errors:
        raise errors[0]


def test_training_in_several_threads_beside_numpy_and_scipy(blas: Callable[[], int]) -> None:
    """Each thread gets the bits that it gets alone; NumPy and SciPy get right answers; the BLAS its threads back."""
    solve = pytest.importorskip("scipy.linalg", reason="the extra `oracle` brings SciPy").solve
    want = {seed: trained(seed, tg.capture) for seed in range(3)}
    square = np.random.default_rng(0).standard_normal((200, 200)) + 20 * np.eye(200)

    def train(seed: int) -> None:
        networks.assert_same_bits(trained(seed, tg.capture if seed else lambda step: step), want[seed])

    def by_numpy() -> None:
        for _ in range(10):
            np.testing.assert_allclose(square @ np.linalg.inv(square), np.eye(200), atol=1e-9)

    def by_scipy() -> None:
        for _ in range(10):
            np.testing.assert_allclose(square @ solve(square, np.ones(200)), np.ones(200), atol=1e-9)

    in_threads(*[lambda seed=seed: train(seed) for seed in want], by_numpy, by_scipy)
    assert blas() == 2


def test_threadpoolctl_finds_its_limits_kept(blas: Callable[[], int]) -> None:
    control = pytest.importorskip("threadpoolctl", reason="scikit-learn of the extra `oracle` brings threadpoolctl")
    _, _, step, batch = captured_step(0)
    captured = tg.capture(step)
    with control.threadpool_limits(limits=1):
        captured(*batch)
        step(*batch)
        assert blas() == 1
        with control.threadpool_limits(limits=2, user_api="blas"):
            captured(*batch)
            assert blas() == 2
        assert blas() == 1
    assert blas() == 2
    captured(*batch)
    assert blas() == 2


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_in_a_step_leaves_the_pool_and_the_blas_usable(kind: type, blas: Callable[[], int]) -> None:
    model, optimizer, _, batch = captured_step(0)
    want = trained(0, lambda step: step)

    def failing(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        F.softmax_cross_entropy(model(x), y).backward()
        raise kind("here")

    for wrap in (tg.capture, lambda step: step):
        with pytest.raises(kind, match="here"):
            wrap(failing)(*batch)
        assert blas() == 2
    networks.assert_same_bits(trained(0, tg.capture), want)


def test_an_interrupt_comes_between_replays(blas: Callable[[], int]) -> None:
    """Ctrl-C while a replay runs in C: it is whole, and the exception is raised after it."""
    _, _, step, batch = captured_step(0)
    captured = tg.capture(step)
    captured(*batch)
    running, pressed = threading.Event(), threading.Event()

    def press() -> None:
        running.wait()
        signal.raise_signal(signal.SIGINT)
        pressed.set()

    def many() -> None:
        while not pressed.is_set():
            captured(*batch)
            running.set()
        pytest.fail("the interrupt is lost")

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=press)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            many()
    finally:
        running.set()
        thread.join()
        signal.signal(signal.SIGINT, before)
    assert blas() == 2
    assert np.isfinite(captured(*batch).numpy())


TRAINING = """
import atexit, os, sys, threading
import numpy as np, twingrad as tg
from twingrad import functional as F
from twingrad.kernels import cpu
cpu.set_threads(3)
model = tg.nn.Sequential(tg.nn.Linear(300, 400), tg.nn.ReLU(), tg.nn.Linear(400, 10), seed=0)
optimizer = tg.optim.SGD(model, lr=0.01)
def plain(x, y):
    loss = F.softmax_cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss
step = tg.capture(plain)
x, y = np.ones((128, 300), np.float32), np.zeros(128, np.int64)
step(x, y)
begun = threading.Semaphore(0)
def forever():
    while True:
        step(x, y)
        begun.release()
"""
EXITS = {
    "while a daemon thread trains": (
        "threading.Thread(target=forever, daemon=True).start(); begun.acquire(); print('ok')",
        0,
    ),
    "two of them": (
        "for f in (forever, lambda: [begun.release(F.relu(x).size) for _ in iter(int, 1)]):\\n"
        "    threading.Thread(target=f, daemon=True).start(); begun.acquire()\\nprint('ok')",
        0,
    ),
    "by sys.exit": ("print('ok', flush=True); step(x, y); sys.exit(3)", 3),
    "by os._exit": ("print('ok', flush=True); step(x, y); os._exit(4)", 4),
    "and work at exit": ("atexit.register(lambda: print('ok' if np.isfinite(step(x, y).numpy()) else 'bad'))", 0),
    "with a changed count at exit": ("atexit.register(lambda: (cpu.set_threads(1), step(x, y), print('ok')))", 0),
}


@pytest.mark.parametrize("how", EXITS)
def test_the_interpreter_exits(how: str) -> None:
    code, status = EXITS[how]
    command = [sys.executable, "-c", TRAINING + code.replace("\\n", "\n")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (status, "ok", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_forked_workers_train_while_the_parent_does() -> None:
    """multiprocessing's fork, from a process whose other thread is inside a replay: no child inherits a lock taken."""
    code = (
        TRAINING
        + """
import multiprocessing, warnings
warnings.simplefilter("ignore", DeprecationWarning)
def work(seed):
    return [float(step(x * seed, y).numpy()) for _ in range(5)]
if __name__ == "__main__":
    threading.Thread(target=forever, daemon=True).start()
    begun.acquire()
    for _ in range(10):
        with multiprocessing.get_context("fork").Pool(3) as pool:
            pool.map_async(work, [1, 1, 1, 1]).get(timeout=250)
    print("ok")
"""
    )
    assert run(code).splitlines()[-1] == "ok"


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="counts threads in /proc")
@pytest.mark.parametrize("variable", ["TWINGRAD_NUM_THREADS", "OMP_NUM_THREADS"])
def test_with_one_thread_none_is_started(variable: str) -> None:
    code = TRAINING.replace("cpu.set_threads(3)", "before = len(os.listdir('/proc/self/task'))")
    code += "forever_ = [step(x, y) for _ in range(5)]; print(len(os.listdir('/proc/self/task')) - before)"
    clean = {"TWINGRAD_NUM_THREADS": "", "OPENBLAS_NUM_THREADS": "1"}
    assert run(code, **(clean | {variable: "1"})) == "0"
    assert run(code, **(clean | {variable: "3"})) == "2"


def test_results_are_the_same_while_the_count_changes() -> None:
    """Another thread sets the count all the time."""
    want, stop = trained(0, tg.capture), threading.Event()

    def change() -> None:
        while not stop.is_set():
            for count in (1, 4, 2):
                cpu.set_threads(count)
                time.sleep(0.001)

    def train() -> None:
        try:
            for _ in range(4):
                networks.assert_same_bits(trained(0, tg.capture), want)
        finally:
            stop.set()

    in_threads(change, train)
