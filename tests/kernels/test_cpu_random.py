"""Philox words and dropout of the compiled kernels: known answers, and word for word those of the NumPy reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cpu_cases import (
    FLOATS,
    ISAS,
    TAILS,
    assert_same_bits,
    hard_values,
    instruction_set,
    misaligned,
    needs_kernels,
    thread_count,
)

from twingrad import functional as F
from twingrad.fusable import fused
from twingrad.kernels.cpu import Kernel
from twingrad.random import keep_mask, words

pytestmark = needs_kernels
W = 16
ONES = 0xFFFFFFFF

# (counter, key, words) of DESIGN section 6, from the authors' Random123 distribution.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ((ONES, ONES, ONES, ONES), (ONES, ONES), "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


def drawn(
    count: int, *, first: int = 0, block: int = 0, seed: int = 0, stream: int = 0, step: int = 0, offset: int = 0
) -> np.ndarray[Any, Any]:
    out = misaligned(np.zeros(count, np.uint32), offset)
    Kernel("philox_words", 1, "qqQQqq")((out,), count, first, seed, block, stream, step)
    return out


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_known_answers(isa: str, counter: tuple[int, ...], key: tuple[int, int], answer: str) -> None:
    number = counter[0] | counter[1] << 32
    with instruction_set(isa):
        block = drawn(4 * W, block=number // W, seed=key[0] | key[1] << 32, step=counter[2], stream=counter[3])
    assert " ".join(f"{word:08x}" for word in block[number % W :: W]) == answer


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("isa", ISAS)
def test_words_equal_the_reference(isa: str, threads: int) -> None:
    key = {"seed": 0x1234_5678_9ABC_DEF0, "stream": 7, "step": 0xFFFF_FFFE}
    with instruction_set(isa), thread_count(threads):
        for i, count in enumerate(TAILS):
            first = (0, 1, 15, 16, 63, 64, 65, 1000)[i % 8]
            want = words(count, start=first, **key).astype(np.uint32)
            assert_same_bits(drawn(count, first=first, offset=i % 5, **key), want)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("isa", ISAS)
def test_dropout_equals_the_reference(isa: str, dtype: str) -> None:
    with instruction_set(isa):
        for i, n in enumerate(TAILS):
            x = misaligned(hard_values(n, dtype, seed=n), i % 5)
            for p in (0.0, 0.2, 0.5, 1 - 2.0**-33):
                with fused("require"):
                    got = F.dropout(x, p=p, seed=3, stream=n, step=i)
                with fused("never"), np.errstate(all="ignore"):
                    assert_same_bits(got, F.dropout(x, p=p, seed=3, stream=n, step=i))


def test_dropout_does_not_depend_on_threads_or_alignment() -> None:
    x = hard_values(100_000, "float32")
    want = drop(x)
    for threads in (1, 2, 3, 5):
        with thread_count(threads):
            for offset in range(4):
                assert_same_bits(drop(misaligned(x, offset)), want)


def drop(x: np.ndarray[Any, Any]) -> Any:
    with fused("require"):
        return F.dropout(x, p=0.3, seed=1, stream=2, step=3)


def test_an_element_is_kept_by_its_position_in_c_order() -> None:
    x = np.ones((37, 53), np.float32)
    kept = drop(x) != 0
    assert np.array_equal(kept, keep_mask(x.shape, p=0.3, seed=1, stream=2, step=3))
    with pytest.raises(Exception, match="not C-contiguous"):
        drop(x.T)
    assert np.array_equal(F.dropout(x.T, p=0.3, seed=1, stream=2, step=3) != 0, kept.reshape(53, 37))
