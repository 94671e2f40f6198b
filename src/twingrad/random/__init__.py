"""Random numbers as pure functions of (seed, stream, step, index): the same on every device."""

from twingrad.random.counter import Counter, Tick
from twingrad.random.draws import keep_mask, normal, permutation, uniform
from twingrad.random.philox import W, philox4x32, stream_of, words

DEFAULT_SEED = 0
"""The seed wherever none is given."""

__all__ = [
    "DEFAULT_SEED",
    "Counter",
    "Tick",
    "W",
    "keep_mask",
    "normal",
    "permutation",
    "philox4x32",
    "stream_of",
    "uniform",
    "words",
]
