"""Philox4x32-10, the counter-based generator behind every random decision, written against the array API.

Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3". The compiled kernels have the same
generator in `kernels/include/philox.h`; this is their oracle and runs on any backend with unsigned integers.
"""

from __future__ import annotations

import operator
import zlib
from typing import Any

import numpy as np

from twingrad.namespace import Array

W = 16
"""Words of one lane that stand side by side: element b*4W + lane*W + j is word `lane` of counter b*W + j."""

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
_LOW = 0xFFFFFFFF


def philox4x32(counter: tuple[Array, Array, Array, Array], key: tuple[int, int]) -> tuple[Array, Array, Array, Array]:
    """The four random words of each counter.

    counter: four uint64 arrays (or Python ints) that broadcast together, each below 2**32.
    key: two Python ints below 2**32.
    Returns four uint64 arrays with values below 2**32.

    >>> zero = np.zeros((), np.uint64)
    >>> [f"{int(word):08x}" for word in philox4x32((zero, zero, zero, zero), (0, 0))]
    ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        product0, product1 = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1 = (product1 >> 32) ^ c1 ^ k0, product1 & _LOW
        c2, c3 = (product0 >> 32) ^ c3 ^ k1, product0 & _LOW
        k0, k1 = (k0 + _KEY_STEPS[0]) & _LOW, (k1 + _KEY_STEPS[1]) & _LOW
    return c0, c1, c2, c3


def words(count: int, *, seed: int, stream: int, step: int, start: int = 0, xp: Any = np, device: Any = None) -> Array:
    """Elements start to start + count - 1 of the random sequence (seed, stream, step), as uint64 below 2**32: (count,).

    seed: 64 bits. stream, step: 32 bits each. xp, device: where the result lives.
    Raises ValueError for a seed, stream or step out of range; TypeError where `xp` has no unsigned integers that shift.

    >>> [int(word) for word in words(2, seed=0, stream=0, step=0)]
    [1713891541, 4175744164]
    """
    key = check_key(seed, stream, step)
    if start < 0 or count < 0:
        raise ValueError(f"words are counted from 0, got start {start} and count {count}")
    if "torch" in xp.__name__:
        raise TypeError(
            "random numbers need unsigned integers with shifts, which PyTorch's CPU tensors lack; "
            "draw with NumPy arrays and convert the result"
        )
    first, last = start // (4 * W), -(-(start + count) // (4 * W))
    index = xp.arange(first * W, last * W, dtype=xp.uint64, device=device)
    zero = index ^ index
    lanes = philox4x32((index & _LOW, index >> 32, zero + int(step), zero + int(stream)), key)
    blocks = xp.stack([xp.reshape(lane, (-1, W)) for lane in lanes], axis=1)
    offset = first * 4 * W
    return xp.reshape(blocks, (-1,))[start - offset : start - offset + count]


def check_key(seed: int, stream: int, step: int) -> tuple[int, int]:
    """The Philox key of a 64-bit seed; ValueError where seed, stream or step is out of range, TypeError for others."""
    for name, value, bits in (("seed", seed, 64), ("stream", stream, 32), ("step", step, 32)):
        _check_integer(name, value, bits)
    plain = operator.index(seed)  # a NumPy integer would turn the words into floats
    return plain & _LOW, plain >> 32


def _check_integer(name: str, value: int, bits: int) -> None:
    wanted = f"{name} must be an integer in [0, 2**{bits}), got {value if isinstance(value, int) else repr(value)}"
    try:
        inside = 0 <= operator.index(value) < 1 << bits
    except TypeError:
        raise TypeError(wanted) from None
    if not inside:
        raise ValueError(wanted)


def stream_of(path: str) -> int:
    """The stream that belongs to a path such as "0.weight": its CRC-32.

    >>> stream_of("0.weight")
    3378657847
    """
    return zlib.crc32(path.encode())
