"""Batches that the user makes: taken as they are where they are sound, and refused by number where they are not."""

import numpy as np
import pytest

from twingrad.data import BatchSource

X, Y = np.arange(6.0).reshape(3, 2), np.array([0, 1, 1])


def generator(n=3):
    return ((X + i, Y) for i in range(n))


class Anew:
    """Begins anew each time."""

    def __iter__(self):
        return generator()


SOURCES = {
    "list": list(generator()),
    "object": Anew(),
    "function": lambda epoch: generator(),
    "tuple": tuple(generator()),
}


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_every_epoch_and_every_start(source, prefetch):
    source = BatchSource(source)
    for epoch in range(2):
        for start in range(4):
            found = [x[0, 0] for x, _ in source.epoch(epoch, start, prefetch=prefetch)]
            assert found == [0.0, 1.0, 2.0][start:]


def test_a_function_is_told_the_epoch():
    source = BatchSource(lambda epoch: [(X + epoch, Y)])
    assert [next(iter(source.epoch(epoch)))[0][0, 0] for epoch in range(3)] == [0, 1, 2]


def test_lists_and_weights_become_arrays():
    (found,) = BatchSource([([[1.0], [2.0]], [0, 1], [0.5, 2])]).epoch()
    assert [array.tolist() for array in found] == [[[1], [2]], [0, 1], [0.5, 2]]


def test_a_generator_serves_one_epoch():
    source = BatchSource(generator())
    assert len(list(source.epoch(0))) == 3
    with pytest.raises(ValueError, match="this generator has been read already and cannot begin epoch 1 anew; give a"):
        source.epoch(1)


def test_a_generator_that_was_read_before():
    spent = generator()
    list(spent)
    with pytest.raises(ValueError, match="epoch 0 has no batches; is it a generator that has been read already"):
        list(BatchSource(spent).epoch())


BAD = {
    "no batch": ([3], TypeError, r"batch 1 of epoch 0 must be a tuple \(x, y\) or \(x, y, weight\); got int"),
    "four": ([(X, Y, Y, Y)], TypeError, "got tuple of 4"),
    "text": ([(X, np.array(["a", "b", "c"]))], TypeError, "y must hold numbers; got <U1"),
    "lengths": ([(X, Y[:2])], ValueError, r"got \(3, 2\) and \(2,\)"),
    "empty": ([(X[:0], Y[:0])], ValueError, r"B at least 1; got \(0, 2\)"),
    "flat": ([(X[:, 0], Y)], ValueError, r"x must be \(B, D\)"),
    "width": (
        [(X[:, :1], Y)],
        ValueError,
        r"those of the first batch: \(2,\) float64.* before, now \(1,\) float64",
    ),
    "dtype": ([(X.astype(np.float32), Y)], ValueError, r"before, now \(2,\) float32"),
    "weights now": ([(X, Y, np.ones(3))], ValueError, "those of the first batch"),
    "NaN": ([(np.where(X == 3, np.nan, X), Y)], ValueError, r"x must be finite; row 1, column \(1,\) holds nan"),
    "labels": ([(X, Y + 1)], ValueError, r"labels must lie in \[0, 2\); row 1 has label 2"),
}


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize(("items", "kind", "message"), BAD.values(), ids=BAD)
def test_a_bad_batch_is_told_by_number(items, kind, message, prefetch):
    batches = BatchSource([(X, Y), *items], classes=2, name="mine").epoch(prefetch=prefetch)
    next(batches)
    with pytest.raises(kind, match=rf"mine: batch 1 of epoch 0.*{message.removeprefix('batch 1 of epoch 0')}"):
        list(batches)


def test_bad_weights():
    with pytest.raises(ValueError, match=r"weight must be \(3,\), at least 0; got \(3,\) -1.0"):
        list(BatchSource([(X, Y, np.array([1.0, -1.0, 0.0]))]).epoch())


def test_too_few_batches_to_resume():
    with pytest.raises(ValueError, match="epoch 0 ends after 3 batches, before batch 5"):
        list(BatchSource(list(generator())).epoch(0, 5))


def test_what_is_no_iterable():
    with pytest.raises(TypeError, match="an iterable of batches, or a function of the epoch, is due; got 3"):
        BatchSource(3)


def test_the_user_s_error_comes_through():
    def broken():
        yield X, Y
        raise OSError("the disk is gone")

    batches = BatchSource(broken()).epoch()
    next(batches)
    with pytest.raises(OSError, match="the disk is gone"):
        next(batches)
