"""The loader: batches that (seed, epoch) decide, resumed anywhere, the same with and without a thread."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twingrad.data import Dataset, Preprocessing, batches, loader

DATA = Dataset(np.arange(202.0).reshape(101, 2), np.arange(101) % 3)


def equal(found, expected):
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)


@given(st.integers(1, 101), st.integers(0, 3), st.integers(0, 2**64 - 1), st.data())
def test_the_rest_of_an_epoch_is_the_same_from_any_batch(batch_size, epoch, seed, data):
    options = {"batch_size": batch_size, "seed": seed, "epoch": epoch, "smallest": 2}
    whole = list(loader(DATA, prefetch=0, **options))
    start = data.draw(st.integers(0, len(whole)))
    equal(list(loader(DATA, prefetch=0, start_batch=start, **options)), whole[start:])
    assert sorted(np.concatenate([x[:, 0] for x, _ in whole])) == DATA.x[:, 0].tolist()


@pytest.mark.parametrize("prefetch", [1, 2, 50])
def test_a_thread_changes_nothing(prefetch):
    options = {"batch_size": 7, "seed": 3, "epoch": 2, "preprocessing": Preprocessing.fit(DATA)}
    equal(list(loader(DATA, prefetch=prefetch, **options)), list(loader(DATA, prefetch=0, **options)))


def test_batches_are_those_of_batches():
    order = list(batches(101, 10, seed=4, epoch=1))
    for index, (x, y) in zip(order, loader(DATA, batch_size=10, seed=4, epoch=1), strict=True):
        np.testing.assert_array_equal(x, DATA.x[index])
        np.testing.assert_array_equal(y, DATA.y[index])


def test_order_of_the_data_where_nothing_is_shuffled():
    found = [y for _, y in loader(DATA, batch_size=10, shuffle=False)]
    np.testing.assert_array_equal(np.concatenate(found), DATA.y)


def test_weights_go_with_their_examples():
    weight = np.arange(101.0)
    for x, _, w in loader(DATA, batch_size=10, weight=weight):
        np.testing.assert_array_equal(x[:, 0], 2 * w)


def test_a_preprocessing_gives_float32():
    x, _ = next(iter(loader(DATA, batch_size=10, preprocessing=Preprocessing.fit(DATA))))
    assert x.dtype == np.float32


BAD = {
    "batch size 0": ({"batch_size": 0}, "between 1 and the 101 training examples; got 0"),
    "batch size": ({"batch_size": 102}, "between 1 and the 101 training examples; got 102"),
    "start": ({"start_batch": 12}, "start_batch must lie between 0 and the epoch's 11 batches; got 12"),
    "start below": ({"start_batch": -1}, "epoch's 11 batches; got -1"),
    "weights": ({"weight": np.ones(100)}, r"weight must be \(101,\), one for each example; got \(100,\)"),
    "negative weight": ({"weight": np.linspace(-1, 1, 101)}, "at least 0; example 0 has -1.0"),
    "NaN weight": ({"weight": np.where(np.arange(101) == 5, np.nan, 1)}, "finite and at least 0; example 5 has nan"),
    "depth": ({"prefetch": -1}, "the depth must be at least 0; got -1"),
}


OTHER_KINDS = {
    "batch size": ({"batch_size": 2.5}, "batch_size must be an int; got 2.5"),
    "start": ({"start_batch": "1"}, "start_batch must be an int; got '1'"),
    "depth": ({"prefetch": 1.5}, "prefetch: the depth must be an int; got 1.5"),
    "augment": ({"augment": 3}, r"augment must be an Augmentation or a function \(x, \*, seed, step\); got 3"),
    "preprocessing": ({"preprocessing": "auto"}, "preprocessing must be a Preprocessing or None; got 'auto'"),
}


@pytest.mark.parametrize(("options", "message"), OTHER_KINDS.values(), ids=OTHER_KINDS)
def test_arguments_of_another_kind(options, message):
    with pytest.raises(TypeError, match=message):
        loader(DATA, **({"batch_size": 10} | options))


@pytest.mark.parametrize(("options", "message"), BAD.values(), ids=BAD)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        loader(DATA, **({"batch_size": 10} | options))
