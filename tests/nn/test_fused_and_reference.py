"""One training step on the fused path and on the reference path, from equal weights and with equal masks."""

import numpy as np
import pytest

import twingrad as tg
from twingrad.kernels import cpu

import networks

ULPS = {"loss": 8, "gradient": 16, "parameter": 4}
"""Largest difference in units of the last place of the largest value: sums and products run in another order."""


def ulps(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max() / np.finfo(expected.dtype).eps


@pytest.mark.skipif(not cpu.available(), reason=f"compares with compiled kernels: {cpu.unavailable()}")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(10))
def test_one_step_agrees(dtype, seed):
    runs = []
    for mode in ("require", "never"):
        model = networks.network(dtype, seed=seed)
        step = networks.stepper(model, networks.OPTIMIZERS["sgd"](model))
        with tg.fused(mode):
            loss = step(*networks.batch(32, dtype, seed=seed)).numpy()
        runs.append({"loss": loss, "gradient": model.flat().grad, "parameter": model.flat().theta})
        assert model[3].counter.value == model[1].num_batches_tracked.value == 1
    for name, bound in ULPS.items():
        assert ulps(runs[0][name], runs[1][name]) <= bound, name
