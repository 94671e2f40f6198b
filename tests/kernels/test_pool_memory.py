"""Memory of results that is used again: never while anything refers to it, within a limit, and only if so wished."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from cpu_cases import needs_kernels, run

from twingrad import Tensor
from twingrad import functional as F
from twingrad.kernels.cpu import memory

import networks

pytestmark = needs_kernels
F4 = np.dtype(np.float32)
LARGE = (300, 500)
BYTES = 4 * 300 * 500
SMALLEST = memory.SMALLEST


@pytest.fixture(autouse=True)
def fresh_memory() -> Iterator[None]:
    gc.collect()
    memory.keep(0)
    memory.keep(64)
    yield
    memory.keep(memory.DEFAULT)


def address(array: Any) -> int:
    return int(array.ctypes.data)


def test_a_freed_result_gives_its_memory_to_the_next_of_its_size() -> None:
    first = memory.empty(LARGE, F4)
    at = address(first)
    assert at % 64 == 0
    del first
    assert memory.kept() == BYTES
    other = memory.empty((500, 301), F4)
    second = memory.empty((500, 300), F4)
    assert address(other) != at
    assert address(second) == at
    assert memory.kept() == 0


HOLDERS = {
    "a view": lambda a: a[1:, ::2],
    "a view of a view": lambda a: a.T[3:][1],
    "a transpose": lambda a: a.T,
    "a memoryview": memoryview,
    "a read-only view of a Tensor": lambda a: Tensor(a).numpy(),
    "DLPack": np.from_dlpack,
    "another dtype": lambda a: a.view(np.uint8),
    "an iterator": lambda a: a.flat,
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_memory_is_not_used_again_while_something_refers_to_it(holder: str) -> None:
    first = memory.empty(LARGE, F4)
    first[...] = 7.0
    at, held = address(first), HOLDERS[holder](first)
    del first
    gc.collect()
    second = memory.empty(LARGE, F4)
    assert address(second) != at
    del held
    gc.collect()
    assert address(memory.empty(LARGE, F4)) == at


def test_small_results_and_those_beyond_the_limit_are_numpys_own() -> None:
    for shape in ((), (0,), (10, 10), (64 << 20,)):
        assert memory.empty(shape, F4).flags.owndata
    assert not memory.empty(LARGE, F4).flags.owndata


def test_at_most_the_limit_is_kept() -> None:
    memory.keep(1)
    arrays = [memory.empty(LARGE, F4) for _ in range(3)]
    arrays += [memory.empty((400, 500), F4)]
    arrays.clear()
    assert 0 < memory.kept() <= 1 << 20
    memory.keep(0)
    assert memory.kept() == 0
    assert memory.empty(LARGE, F4).flags.owndata


def test_of_many_sizes_those_given_back_last_are_kept() -> None:
    sizes = [SMALLEST + 4 * i for i in range(memory.SIZES + 5)]
    for size in sizes:
        memory.empty((size // 4,), F4)
    assert memory.kept() == sum(sizes[5:])
    memory.empty((sizes[5] // 4,), F4)
    memory.empty((sizes[0] // 4,), F4)
    assert memory.kept() == sum(sizes[7:]) + sizes[5] + sizes[0]


def test_the_variable_sets_the_limit() -> None:
    code = """
import numpy as np
from twingrad.kernels.cpu import memory
a = memory.empty((1 << 20,), np.dtype(np.float32)); del a
print(memory.kept() >> 20)
"""
    for value, kept in (("0", "0"), ("3", "0"), ("4", "4"), ("", "4"), ("much", "4")):
        assert run(code, TWINGRAD_KEEP_MIB=value) == kept


def test_threads_never_share_a_block() -> None:
    wrong = []

    def work(mark: float) -> None:
        for _ in range(300):
            arrays = [memory.empty(LARGE, F4) for _ in range(3)]
            for i, array in enumerate(arrays):
                array[...] = mark + i
            if any(array[0, 0] != mark + i or array[-1, -1] != mark + i for i, array in enumerate(arrays)):
                wrong.append(mark)

    threads = [threading.Thread(target=work, args=(10.0 * i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert memory.kept() <= 4 * 6 * BYTES  # a thread holds its three while it makes the next


def test_training_does_not_read_what_was_there_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bits with memory that is handed out full of NaN."""

    def trained() -> dict[str, Any]:
        model = networks.network()
        optimizer = networks.OPTIMIZERS["adam"](model)
        step = networks.stepper(model, optimizer)
        for i in range(3):
            step(*networks.batch(20_000, seed=i))
        return networks.everything(model, optimizer)

    memory.keep(0)
    want = trained()
    memory.keep(64)
    handed = []

    def poisoned(size: int) -> Any:
        handed.append(size)
        return np.full(size // 4, np.nan, F4).view(np.uint8)

    monkeypatch.setattr(memory, "_new_block", poisoned)
    take_back = memory._take_back

    def poison(loan: Any) -> None:
        loan.block.view(F4)[...] = np.nan
        take_back(loan)

    monkeypatch.setattr(memory, "_take_back", poison)
    networks.assert_same_bits(trained(), want)
    assert len(handed) > 3


def test_results_of_kernels_come_from_there() -> None:
    x = np.ones(LARGE, np.float32)
    at = address(F.relu(x))
    assert address(F.tanh(x)) == at
    assert memory.kept() == BYTES
