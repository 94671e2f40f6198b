"""`fit` on a GPU: the same script, the same seed, the same model as on the CPU as far as arithmetic allows."""

import numpy as np
import pytest

import twingrad as tg
from twingrad import optim
from twingrad.train import evaluate, load_model


@pytest.mark.gpu
def test_a_gpu_trains_the_model_that_a_cpu_trains(data, make_model, tmp_path):
    models = {"cpu": make_model(), "cuda": make_model()}
    for device, model in models.items():
        optimizer = optim.SGD(lr=0.1)
        history = tg.fit(
            model, data, optimizer=optimizer, epochs=2, batch_size=16, device=device, keep="last", out=tmp_path / device
        )
        assert history.device == device
    states = {device: model.state_dict() for device, model in models.items()}
    for name, value in states["cpu"].items():
        np.testing.assert_allclose(states["cuda"][name], value, rtol=1e-3, atol=1e-4, err_msg=name)
    assert evaluate(load_model(tmp_path / "cuda"), data.dev).loss == pytest.approx(history[-1].dev_loss, rel=1e-4)
