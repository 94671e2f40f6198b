"""The generator: known answers, the layout of its words, the range of its key."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twingrad.random import W, philox4x32, stream_of, words

KNOWN = [
    ((0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN, ids=["zeros", "ones", "pi"])
def test_known_answers(counter: Any, key: Any, expected: str, library: Any) -> None:
    given = tuple(library.xp.asarray(c, dtype=library.xp.uint64, device=library.device) for c in counter)
    found = [int(library.numpy(word)) for word in philox4x32(given, key)]
    assert " ".join(f"{word:08x}" for word in found) == expected


def independent(counter: tuple[int, int, int, int], key: tuple[int, int]) -> list[int]:
    """Philox4x32-10 in Python integers, after the paper's figure 4."""
    c, k = list(counter), list(key)
    for _ in range(10):
        high0, low0 = divmod(c[0] * 0xD2511F53, 2**32)
        high1, low1 = divmod(c[2] * 0xCD9E8D57, 2**32)
        c = [high1 ^ c[1] ^ k[0], low1, high0 ^ c[3] ^ k[1], low0]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return c


KEYS = [(0, 0, 0), (5, 7, 11), (2**64 - 1, 2**32 - 1, 2**32 - 1), (2**32, 1, 0), (0xFFFFFFFF, 0, 1)]


@pytest.mark.parametrize(("seed", "stream", "step"), KEYS, ids=str)
def test_layout(seed: int, stream: int, step: int) -> None:
    """Element b*4W + lane*W + j is word `lane` of counter b*W + j, under the key (seed low, seed high)."""
    found = words(3 * 4 * W, seed=seed, stream=stream, step=step)
    assert found.dtype == np.uint64
    for element, word in enumerate(found.tolist()):
        b, rest = divmod(element, 4 * W)
        lane, j = divmod(rest, W)
        assert word == independent((b * W + j, 0, step, stream), (seed % 2**32, seed >> 32))[lane]


def test_the_block_number_has_64_bits() -> None:
    start = 2**32 * 4  # the first element whose counter is 2**32
    found = words(1, seed=1, stream=2, step=3, start=start)
    assert int(found[0]) == independent((0, 1, 3, 2), (1, 0))[0]


def test_the_documented_width() -> None:
    assert W == 16


def test_every_library_draws_the_same_words(library: Any) -> None:
    options = {"seed": 9, "stream": 8, "step": 7, "start": 5}
    found = words(200, **options, xp=library.xp, device=library.device)
    assert np.array_equal(library.numpy(found), words(200, **options))


LONG = words(1000, seed=3, stream=2, step=1)


@settings(max_examples=200)
@given(start=st.integers(0, 900), count=st.integers(0, 100))
def test_any_slice_is_the_slice_of_the_whole(start: int, count: int) -> None:
    found = words(count, seed=3, stream=2, step=1, start=start)
    assert np.array_equal(found, LONG[start : start + count])


@settings(max_examples=50)
@given(
    seed=st.integers(0, 2**64 - 1),
    stream=st.integers(0, 2**32 - 1),
    step=st.integers(0, 2**32 - 1),
    start=st.integers(0, 2**50),
)
def test_any_key_and_start(seed: int, stream: int, step: int, start: int) -> None:
    (word,) = words(1, seed=seed, stream=stream, step=step, start=start).tolist()
    b, rest = divmod(start, 4 * W)
    lane, j = divmod(rest, W)
    block = b * W + j
    assert word == independent((block % 2**32, block >> 32, step, stream), (seed % 2**32, seed >> 32))[lane]


@pytest.mark.parametrize("kind", [np.int64, np.uint64, np.uint32, np.int32], ids=lambda k: k.__name__)
def test_numpy_integers_are_integers(kind: Any) -> None:
    found = words(70, seed=kind(5), stream=kind(7), step=kind(11), start=int(kind(3)))
    assert found.dtype == np.uint64
    assert np.array_equal(found, words(70, seed=5, stream=7, step=11, start=3))


BAD = [
    ({"seed": -1}, ValueError, r"seed must be an integer in \[0, 2\*\*64\), got -1"),
    ({"seed": 2**64}, ValueError, "seed must be"),
    ({"stream": -1}, ValueError, r"stream must be an integer in \[0, 2\*\*32\)"),
    ({"stream": 2**32}, ValueError, "stream must be"),
    ({"step": 2**32}, ValueError, "step must be"),
    ({"start": -1}, ValueError, "start -1"),
    ({"count": -1}, ValueError, "count -1"),
    ({"seed": 1.5}, TypeError, "integer"),
    ({"seed": None}, TypeError, "None"),
]


@pytest.mark.parametrize(("changed", "error", "message"), BAD, ids=[str(row[0]) for row in BAD])
def test_out_of_range(changed: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        words(**{"count": 4, "seed": 0, "stream": 0, "step": 0, **changed})


def test_the_ends_of_the_range_are_within() -> None:
    assert words(1, seed=2**64 - 1, stream=2**32 - 1, step=2**32 - 1).shape == (1,)


def test_torch_is_refused_with_the_cure() -> None:
    pytest.importorskip("torch", reason="refusing PyTorch needs PyTorch; it comes with the extra `oracle`")
    import array_api_compat.torch

    with pytest.raises(TypeError, match=r"unsigned integers with shifts.*draw with NumPy arrays and convert"):
        words(4, seed=0, stream=0, step=0, xp=array_api_compat.torch)


@pytest.mark.parametrize(("path", "stream"), [("", 0), ("0.weight", 3378657847), ("3", 1842515611)])
def test_streams_of_paths(path: str, stream: int) -> None:
    assert stream_of(path) == stream
    assert 0 <= stream_of(path * 1000) < 2**32


def test_bits_are_balanced() -> None:
    """Each of the 32 bits is set in half of the words, within five deviations, and bits are not tied in pairs."""
    bits = (words(20_000, seed=1, stream=1, step=1)[:, None] >> np.arange(32, dtype=np.uint64)) & np.uint64(1)
    share = bits.astype(np.float64)
    assert np.max(np.abs(share.mean(axis=0) - 0.5)) < 5 * 0.5 / np.sqrt(20_000)
    correlation = np.corrcoef(share.T) - np.eye(32)
    assert np.max(np.abs(correlation)) < 6 / np.sqrt(20_000)


def test_neighbouring_keys_share_nothing() -> None:
    base = {"seed": 0, "stream": 0, "step": 0}
    drawn = [words(10_000, **{**base, name: 1}) for name in base] + [words(10_000, **base)]
    for i, a in enumerate(drawn):
        for b in drawn[:i]:
            assert np.count_nonzero(a == b) == 0
            assert abs(np.corrcoef(a, b)[0, 1]) < 0.06
