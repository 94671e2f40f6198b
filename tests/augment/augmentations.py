"""One row for each augmentation: what it is made with, and the shape of a batch that suits it."""

from __future__ import annotations

import numpy as np

from twingrad import augment as A
from twingrad.random import uniform

GREY, COLOUR, SIGNAL = (5, 7, 6), (5, 7, 6, 3), (5, 32)
RECORDED = uniform((3, 40), seed=9, stream=0) - 0.5

EXACT = {
    "flip": (A.Flip(), GREY),
    "flip vertical, colour": (A.Flip("vertical"), COLOUR),
    "shift": (A.Shift(2, fill=0.25), GREY),
    "shift, colour": (A.Shift(2), COLOUR),
    "crop": (A.Crop(4, 3, pad=1), GREY),
    "crop, colour": (A.Crop(4, 3), COLOUR),
    "zoom": (A.Zoom(0.7, 1.4, stretch=True, fill=0.5), GREY),
    "zoom, colour": (A.Zoom(), COLOUR),
    "rotate": (A.Rotate(45), GREY),
    "rotate, colour": (A.Rotate(45), COLOUR),
    "elastic": (A.Elastic(6.0, 1.5), GREY),
    "elastic, colour": (A.Elastic(6.0, 1.5), COLOUR),
    "blur": (A.Blur(0.0, 1.2), GREY),
    "blur, colour": (A.Blur(0.5, 1.2), COLOUR),
    "brightness": (A.Brightness(0.4), GREY),
    "contrast": (A.Contrast(0.4), GREY),
    "contrast, colour": (A.Contrast(0.4), COLOUR),
    "saturation": (A.Saturation(0.9), COLOUR),
    "sometimes": (A.Sometimes(A.Rotate(20), 0.5), GREY),
    "composed": (A.Compose(A.Shift(1), A.Shift(1), A.Rotate(9), shape=(7, 6)), (5, 42)),
    "gain": (A.Gain(), SIGNAL),
    "recorded noise": (A.MixNoise(0, 10, RECORDED), SIGNAL),
}
"""+ - * / and square roots, and gathers: every library gives the same bits."""
CLOSE = {
    "noise": (A.Noise(0.3, limits=(0.0, 1.0)), GREY),
    "noise on signals": (A.Noise(0.3), SIGNAL),
    "white noise": (A.MixNoise(5, 15), SIGNAL),
    "band stop": (A.BandStop(5.0, 2.0, 14.0, rate=32.0), SIGNAL),
}
"""Logarithm, cosine or a Fourier transform: the last bits may differ."""
ALL = EXACT | CLOSE


def batch(shape, dtype="float32"):
    """Numbers in [0, 1)."""
    return uniform(shape, seed=5, stream=0).astype(dtype)


def same_on_all(name, found, wanted):
    """Bits for `EXACT`, to rounding for `CLOSE`."""
    if name in EXACT:
        np.testing.assert_array_equal(found, wanted)
    else:
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
