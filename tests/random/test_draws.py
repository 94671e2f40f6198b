"""What is drawn from the words: masks, uniform and normal numbers, permutations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twingrad.random import keep_mask, normal, permutation, uniform, words

KEY = {"seed": 5, "stream": 7, "step": 11}
SHAPES: list[tuple[int, ...]] = [(), (0,), (7,), (3, 0, 2), (4, 5)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_shapes_and_dtypes(shape: tuple[int, ...]) -> None:
    assert keep_mask(shape, p=0.3, **KEY).shape == shape
    assert keep_mask(shape, p=0.3, **KEY).dtype == np.bool_
    for draw in (uniform, normal):
        found = draw(shape, **KEY)
        assert (found.shape, found.dtype) == (shape, np.float64)
        assert isinstance(found, np.ndarray)


def test_the_mask_compares_integers() -> None:
    """Kept where the word is below floor((1 - p) 2**32), to the last word."""
    drawn = words(1000, **KEY)
    for word in drawn[:20].tolist():
        p = 1.0 - word / 2**32  # exact: then this word is the first that is dropped
        keep = keep_mask((1000,), p=p, **KEY)
        assert np.array_equal(keep, drawn < math.floor((1.0 - p) * 2**32))
    assert keep_mask((1000,), p=0.0, **KEY).all()
    assert keep_mask((1000,), p=1e-300, **KEY).all()


def test_uniform_is_the_words_over_2_to_the_32() -> None:
    found = uniform((100, 200), **KEY)
    assert np.array_equal(found.ravel() * 2.0**32, words(20_000, **KEY).astype(np.float64))
    assert 0.0 <= found.min() < 1e-3 < 0.999 < found.max() < 1.0


def test_uniform_moments() -> None:
    x = uniform((100_000,), **KEY)
    assert abs(x.mean() - 0.5) < 5 / math.sqrt(12 * x.size)
    assert abs(x.var() - 1 / 12) < 5 * math.sqrt(1 / 180 / x.size)
    counts, _ = np.histogram(x, bins=50, range=(0, 1))
    assert float(((counts - 2000) ** 2 / 2000).sum()) < 100  # chi squared of 49 degrees; 85 has probability 1e-3


def test_normal_moments() -> None:
    x = normal((200_000,), **KEY)
    n = x.size
    assert abs(x.mean()) < 5 / math.sqrt(n)
    assert abs((x**2).mean() - 1) < 5 * math.sqrt(2 / n)
    assert abs((x**3).mean()) < 5 * math.sqrt(15 / n)
    assert abs((x**4).mean() - 3) < 5 * math.sqrt(96 / n)
    assert 4.0 < np.abs(x).max() < 6.7  # u1 is never 0: the largest possible is sqrt(-2 log 2**-32) = 6.66
    for bound, share in ((1.0, 0.6827), (2.0, 0.9545)):
        assert abs(np.mean(np.abs(x) < bound) - share) < 5 * math.sqrt(share * (1 - share) / n)


def test_normal_is_box_and_muller() -> None:
    u = (words(6, **KEY).reshape(2, 3) + np.asarray([[1.0], [0.0]])) / 2**32
    expected = [math.sqrt(-2 * math.log(a)) * math.cos(2 * math.pi * b) for a, b in u.T]
    assert normal((3,), **KEY).tolist() == pytest.approx(expected, rel=1e-14)


GOLDEN = [
    (5, {"seed": 0, "stream": 0}, [1, 4, 0, 3, 2]),
    (8, KEY, [4, 5, 1, 6, 7, 2, 3, 0]),
    (0, KEY, []),
    (1, KEY, [0]),
]


@pytest.mark.parametrize(("n", "key", "expected"), GOLDEN, ids=[str(row[0]) for row in GOLDEN])
def test_permutation_is_what_it_was(n: int, key: Any, expected: list[int]) -> None:
    found = permutation(n, **key)
    assert found.dtype == np.int64
    assert found.tolist() == expected


GOLDEN_UNIFORM = [0.9571695267222822, 0.6857397267594934, 0.40542036457918584]
GOLDEN_NORMAL = [0.2545543760422871, -0.6880909088368575, 1.2805644171383748]


def test_drawn_numbers_are_what_they_were() -> None:
    """Golden values: seeds in the wild give the same weights and batches for ever."""
    assert uniform((3,), **KEY).tolist() == GOLDEN_UNIFORM
    assert normal((3,), **KEY).tolist() == pytest.approx(GOLDEN_NORMAL, rel=1e-14)


@settings(max_examples=50)
@given(n=st.integers(0, 300), seed=st.integers(0, 2**64 - 1), step=st.integers(0, 2**32 - 1))
def test_a_permutation_holds_each_number_once(n: int, seed: int, step: int) -> None:
    found = permutation(n, seed=seed, stream=1, step=step)
    assert np.array_equal(np.sort(found), np.arange(n))
    assert np.array_equal(found, permutation(n, seed=seed, stream=1, step=step))


def test_every_order_is_as_likely() -> None:
    counts: dict[tuple[int, ...], int] = {}
    for step in range(6000):
        order = tuple(permutation(3, seed=1, stream=2, step=step).tolist())
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 6
    assert sum((c - 1000) ** 2 / 1000 for c in counts.values()) < 20.5  # chi squared of 5 degrees, probability 1e-3
