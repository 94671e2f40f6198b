"""One-dimensional signals, (N, T): gain, noise mixed in at a given ratio, suppression of a band."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field

import numpy as np

from twingrad.augment.base import Augmentation
from twingrad.augment.checks import at_least, positive
from twingrad.augment.draws import Draws, asarray_like, beside
from twingrad.augment.sampling import example_sum
from twingrad.functional.checks import ordered
from twingrad.namespace import Array, namespace_of

SIGNALS = (2,)


@dataclass(frozen=True)
class Gain(Augmentation):
    """10^(g / 20) x, g uniform in [low, high) decibels: x (N, T).

    >>> Gain(20.0, 20.0)(np.ones((1, 2)))
    array([[10., 10.]])
    """

    low: float = -6.0
    high: float = 6.0
    ranks = SIGNALS

    def __post_init__(self) -> None:
        ordered("Gain", self.low, self.high)

    def apply(self, x: Array, draws: Draws) -> Array:
        return beside(x, 10.0 ** (draws.each(self.low, self.high) / 20.0)) * x


@dataclass(frozen=True)
class MixNoise(Augmentation):
    """Noise added so that signal power / noise power is 10^(r / 10) in each example, r uniform in [low, high) decibels.

    y = x + n sqrt(P(x) / (P(n) 10^(r / 10))), P the mean square over the example: the ratio is met exactly, not on
    average. x: (N, T); a silent example stays silent.
    noise: (M, S) recordings, S >= T, of which each example gets a random part of a random one; without it n is white
    and normal, whose logarithm and cosine may differ in the last bit between devices.
    """

    low: float = 0.0
    high: float = 20.0
    noise: Array = field(default=None, repr=False)
    ranks = SIGNALS

    def __post_init__(self) -> None:
        ordered("MixNoise", self.low, self.high)
        if self.noise is None:
            return
        namespace_of(self.noise)  # tells what is no array
        if len(self.noise.shape) != 2 or 0 in self.noise.shape:
            raise ValueError(f"MixNoise: noise must be (M, S), recordings of S samples; got {tuple(self.noise.shape)}")

    def apply(self, x: Array, draws: Draws) -> Array:
        xp = namespace_of(x)
        share = beside(x, 10.0 ** (-draws.each(self.low, self.high) / 10.0))
        noise = draws.normal(x.shape) if self.noise is None else self._recorded(x, draws)
        signal, power = (xp.reshape(example_sum(each * each), (-1, 1)) for each in (x, noise))
        return x + noise * xp.sqrt(signal * share / xp.where(power > 0, power, 1.0))

    def _recorded(self, x: Array, draws: Draws) -> Array:
        (m, s), t = self.noise.shape, x.shape[1]
        if s < t:
            raise ValueError(f"MixNoise: recordings must be at least as long as x, {t} samples; got {s}")
        xp = namespace_of(x)
        first = draws.integers(0, m - 1) * s + draws.integers(0, s - t)
        place = (first[:, None] + np.arange(t)).reshape(-1)
        flat = xp.reshape(xp.asarray(self.noise, dtype=x.dtype, device=x.device), (-1,))
        return xp.reshape(xp.take(flat, asarray_like(x, place, xp.int64)), x.shape)

    def __repr__(self) -> str:
        told = "" if self.noise is None else f", noise={tuple(self.noise.shape)} {_digest(self.noise)}"
        return f"MixNoise(low={self.low}, high={self.high}{told})"


@dataclass(frozen=True)
class BandStop(Augmentation):
    """Takes a band of `width` hertz out of each signal, its lower end uniform in [low, high - width): x (N, T).

    The bins k rate / T of the discrete Fourier transform within the band, both ends included, become 0. rate: samples
    in a second. The transform may differ in the last bits between devices; no gradient passes it.

    Raises ValueError where high is above rate / 2, or the band wider than high - low.
    """

    width: float
    low: float
    high: float
    rate: float
    ranks = SIGNALS

    def __post_init__(self) -> None:
        positive("BandStop: rate", self.rate)
        at_least("BandStop: low", self.low)
        ordered("BandStop: low and high", self.low, self.high)
        if self.high > self.rate / 2:
            raise ValueError(f"BandStop: high must be at most half the rate, {self.rate / 2:g}; got {self.high}")
        if not 0 < self.width <= self.high - self.low:
            raise ValueError(
                f"BandStop: width must lie in (0, {self.high - self.low:g}], from low to high; got {self.width}"
            )

    def apply(self, x: Array, draws: Draws) -> Array:
        xp, t = namespace_of(x), x.shape[1]
        start = draws.each(self.low, self.high - self.width)[:, None]
        bins = np.arange(t // 2 + 1) * (self.rate / t)
        kept = asarray_like(x, (bins < start) | (bins > start + self.width), x.dtype)
        return xp.fft.irfft(xp.fft.rfft(x) * kept, n=t)


def _digest(noise: Array) -> str:
    xp = namespace_of(noise)
    flat = [float(value) for value in xp.reshape(noise, (math.prod(noise.shape),))]
    return hashlib.sha256(np.asarray(flat).tobytes()).hexdigest()[:16]
