"""`fit` as its tests call it, and models compared by their state."""

import numpy as np

import twingrad as tg
from twingrad import optim


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def fit(model, data, **options):
    return tg.fit(
        model, data, **{"epochs": 3, "batch_size": 16, "optimizer": optim.Adam(lr=5e-3), "device": "cpu"} | options
    )
