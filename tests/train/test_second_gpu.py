"""A model on a GPU that is not CuPy's current one: trained, evaluated and asked as on the first.

The stand-in refuses arrays of any GPU but the current, as CuPy does where GPUs do not reach each other's memory.
"""

from __future__ import annotations

import cuda_on_host
import numpy as np
import pytest

import twingrad as tg
from twingrad import nn, optim
from twingrad.train import evaluate, lr_range_test, predict

from networks import assert_same_bits, everything

pytestmark = pytest.mark.skipif(cuda_on_host.compiler() is None, reason="no C++ compiler to run the CUDA sources")


@pytest.fixture
def gpus(monkeypatch):
    return cuda_on_host.stand_in(monkeypatch)


def network():
    return nn.Sequential(nn.Linear(64, 8), nn.BatchNorm(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 10), seed=0)


def data():
    return tg.data.load("digits").take(slice(0, 300)).split(seed=0)


def trained(device):
    model = network()
    tg.fit(model, data(), optimizer=optim.Adam(lr=1e-3), epochs=1, device=device, seed=0, capture="never")
    return model


@pytest.mark.filterwarnings("ignore:the plain step runs instead")
@pytest.mark.parametrize("mode", ["auto", "never"])
def test_training_on_the_second_gpu_gives_the_firsts_bits(gpus, mode):
    with tg.fused(mode):
        first, second = trained("cuda"), trained("cuda:1")
        assert tg.devices.device_of(next(iter(second.parameters())).data) == "cuda:1"
        assert evaluate(second, data().dev) == evaluate(first, data().dev)
        assert np.array_equal(predict(second, data().dev.x), predict(first, data().dev.x))
        rates = [lr_range_test(network(), data(), steps=5, device=device).losses for device in ("cuda", "cuda:1")]
        assert rates[0] == rates[1]
    assert_same_bits(everything(first.to("cpu")), everything(second.to("cpu")))
    assert gpus.cuda.Device().id == 0, "the current GPU is the one of before"


def test_use_device_makes_its_gpu_the_current_one(gpus):
    with tg.use_device("cuda:1"):
        assert gpus.cuda.Device().id == 1
        x = tg.Tensor(gpus.zeros(3, "float32"), requires_grad=True)
        with tg.fused("never"):
            (tg.functional.relu(x) * x).sum().backward()
        assert x.grad.device.id == 1
    assert gpus.cuda.Device().id == 0
