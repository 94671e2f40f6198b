"""Mini-batches: every example once an epoch, in an order that the seed and the epoch alone decide."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twingrad.data import batch_bounds, batches


@given(st.integers(2, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(2, n))), st.integers(0, 2**64 - 1))
def test_an_epoch_holds_every_example_once(sizes, seed):
    n, batch_size = sizes
    found = list(batches(n, batch_size, seed=seed, epoch=0, smallest=2))
    assert sorted(np.concatenate(found).tolist()) == list(range(n))
    assert all(2 <= len(batch) <= batch_size + 1 for batch in found)
    assert all(len(batch) == batch_size for batch in found[:-1])


def test_the_order_is_a_function_of_seed_and_epoch():
    def order(seed, epoch):
        return np.concatenate(list(batches(100, 7, seed=seed, epoch=epoch))).tolist()

    assert order(1, 2) == order(1, 2)
    assert len({tuple(order(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9


def test_a_last_batch_of_one_joins_the_one_before_only_where_asked():
    assert batch_bounds(9, 4) == [(0, 4), (4, 8), (8, 9)]
    assert batch_bounds(9, 4, smallest=2) == [(0, 4), (4, 9)]
    assert batch_bounds(1, 1, smallest=2) == [(0, 1)]


@pytest.mark.parametrize("batch_size", [0, -1, 11])
def test_batch_size_between_one_and_the_data(batch_size):
    with pytest.raises(ValueError, match=f"between 1 and the 10 training examples; got {batch_size}"):
        batches(10, batch_size, seed=0, epoch=0)
