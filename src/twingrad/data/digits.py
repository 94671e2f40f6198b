"""The handwritten digits that ship in the package."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from twingrad.data.dataset import Dataset


def digits() -> Dataset:
    """1,797 handwritten digits: x (1797, 64) float32 in [0, 1], y (1797,) int64, ten classes.

    8 x 8 images in C order; a pixel is the share of ink in its 4 x 4 block, a multiple of 1/16.

    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits" (its test part), UCI Machine Learning
    Repository, 1998, doi 10.24432/C50P49, licence CC BY 4.0.

    >>> digits()
    Dataset('digits', 1797 examples, 64 features, 10 classes)
    """
    with np.load(Path(__file__).with_name("digits.npz"), allow_pickle=False) as arrays:
        x, y = arrays["x"], arrays["y"]
    return Dataset(x.astype(np.float32) / np.float32(16), y.astype(np.int64), tuple("0123456789"), "digits")
