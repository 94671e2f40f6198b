"""Counters and their ticks."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from twingrad import recording
from twingrad.random import Counter, Tick


def test_advancing_gives_the_value_before() -> None:
    counter = Counter(3)
    ticks = [counter.advance() for _ in range(3)]
    assert ticks == [3, 4, 5]
    assert counter.value == 6


def test_a_tick_is_an_integer_that_knows_its_counter() -> None:
    counter = Counter(3)
    tick = counter.advance()
    assert isinstance(tick, Tick)
    assert isinstance(tick, int)
    assert tick.counter is counter
    assert tick + 1 == 4
    assert tick.counter.cell.dtype == np.int64
    assert tick.counter.cell.shape == (1,)


def test_the_value_can_be_set_and_keeps_its_cell() -> None:
    counter = Counter()
    cell = counter.cell
    counter.value = 2**32 - 1
    assert counter.cell is cell
    assert int(cell[0]) == 2**32 - 1
    cell[0] = 7
    assert counter.value == 7


@pytest.mark.parametrize("value", [-1, 2**32, -(2**40)])
def test_out_of_range(value: int) -> None:
    with pytest.raises(ValueError, match=rf"in \[0, 2\*\*32\), got {value}"):
        Counter(value)
    counter = Counter(5)
    with pytest.raises(ValueError, match="a counter holds"):
        counter.value = value
    assert counter.value == 5


def test_a_recording_counts_the_advances_and_leaves_the_cell() -> None:
    counter, other = Counter(10), Counter(20)
    with recording.record() as step:
        ticks = [counter.advance(), counter.advance(), other.advance()]
        assert counter.value == 10
    assert ticks == [10, 11, 20]
    assert step.advances == {counter: 2, other: 1}
    assert counter.value == 10
    assert counter.advance() == 10


def test_a_full_counter_does_not_wrap() -> None:
    counter = Counter(2**32 - 2)
    assert counter.advance() == 2**32 - 2
    with pytest.raises(ValueError, match=r"a counter holds .* 4294967295 cannot advance by 1"):
        counter.advance()
    assert counter.value == 2**32 - 1
    with pytest.raises(ValueError, match="cannot advance by 1"), recording.record():
        counter.advance()


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))])
def test_copies_count_by_themselves(duplicate: Any) -> None:
    counter = Counter(4)
    other = duplicate(counter)
    counter.advance()
    assert (counter.value, other.value) == (5, 4)
    assert not np.shares_memory(counter.cell, other.cell)


def test_repr() -> None:
    assert repr(Counter(4)) == "Counter(4)"
