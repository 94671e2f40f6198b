"""A small data set and a small network with everything in it: batch norm and dropout."""

import pytest

import twingrad as tg
from twingrad import nn


@pytest.fixture(scope="session")
def data():
    """240 digits in 144, 48 and 48."""
    return tg.data.load("digits").take(slice(0, 240)).split(seed=0)


@pytest.fixture
def make_model():
    """A new network of 64-32-10 with the same initial weights each time."""

    def make(batch_norm=True, dropout=0.2, seed=0):
        middle = [nn.BatchNorm(32)] * batch_norm + [nn.ReLU(), nn.Dropout(dropout)]
        return nn.Sequential(nn.Linear(64, 32), *middle, nn.Linear(32, 10), seed=seed)

    return make
