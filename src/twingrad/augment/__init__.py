"""Data augmentation: random changes of a batch that are pure functions of (seed, step), the same on every device.

Images are (N, H, W) or (N, H, W, C), signals (N, T), float32 or float64; `Compose(..., shape=(8, 8))` takes flat
examples. `fit(augment=)` and `data.loader(augment=)` change every batch anew; `of_batch` is the rule by which.

>>> import numpy as np
>>> from twingrad import augment
>>> change = augment.Compose(augment.Shift(1), augment.Rotate(10), augment.Noise(0.05))
>>> change(np.zeros((4, 8, 8), np.float32), seed=0, step=7).shape
(4, 8, 8)
"""

from twingrad.augment.base import Augmentation, Compose, Sometimes
from twingrad.augment.elastic import Elastic
from twingrad.augment.geometry import Crop, Flip, Rotate, Shift, Zoom
from twingrad.augment.light import Blur, Brightness, Contrast, Noise, Saturation
from twingrad.augment.signals import BandStop, Gain, MixNoise
from twingrad.data.augmenting import of_batch

__all__ = [
    "Augmentation",
    "BandStop",
    "Blur",
    "Brightness",
    "Compose",
    "Contrast",
    "Crop",
    "Elastic",
    "Flip",
    "Gain",
    "MixNoise",
    "Noise",
    "Rotate",
    "Saturation",
    "Shift",
    "Sometimes",
    "Zoom",
    "of_batch",
]
