"""What a run is, on another device: the same bits, and a loss curve that agrees."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

import twingrad as tg
from twingrad import backends, nn, optim
from twingrad import functional as F
from twingrad.train import Callback, Interrupted, load_model
from twingrad.train.checkpoint import LAST, Checkpoint
from twingrad.train.objective import make_objective
from twingrad.train.parts import Order, part_of
from twingrad.train.residence import Reading

from killing import files

sys.path.append(str(Path(__file__).parents[1] / "kernels"))
import cuda_on_host

CURVES = 2e-3
"""How far the losses of the two devices may be apart after a few epochs, relative: products add in other orders."""


@pytest.fixture(params=["emulated", pytest.param("real", marks=pytest.mark.gpu)])
def gpu(request, monkeypatch):
    """A GPU; where there is none, a stand-in whose kernels run on the host."""
    if request.param == "emulated":
        if cuda_on_host.compiler() is None:
            pytest.skip("no C++ compiler to run the CUDA sources on the host")
        cuda_on_host.stand_in(monkeypatch)


class CutAt(Callback):
    """SIGTERM after so many updates."""

    def __init__(self, step):
        self.step = step

    def on_step(self, run):
        if run.step == self.step:
            os.kill(os.getpid(), 15)


def fit(model, data, device, **options):
    how = {"epochs": 2, "batch_size": 48, "optimizer": optim.Adam(lr=5e-3)}
    return tg.fit(model, data, device=device, **(how | options))


def cut(model, data, device, step, out):
    with pytest.raises(Interrupted):
        fit(model, data, device, callbacks=[CutAt(step)], out=out)


@pytest.mark.parametrize(("first", "then"), [("cpu", "cuda"), ("cuda", "cpu")])
def test_a_run_goes_on_on_the_other_device(gpu, data, make_model, tmp_path, first, then):
    expected = fit(make_model(), data, first)
    cut(make_model(), data, first, 4, tmp_path / "run")
    before = Checkpoint.read(tmp_path / "run" / LAST)
    model = make_model()
    with pytest.warns(UserWarning, match=f"the run was on {first} and goes on on {then}: its state is the same to the"):
        history = fit(model, data, then, resume=tmp_path / "run")
    assert history.device == then
    assert history.records[0] == before.records[0]
    losses = [(record.train_loss, record.dev_loss) for record in history]
    np.testing.assert_allclose(losses, [(record.train_loss, record.dev_loss) for record in expected], rtol=CURVES)
    assert Checkpoint.read(tmp_path / "run" / LAST).configuration["device"] == then
    load_model(tmp_path / "run")


def test_on_one_gpu_a_resumed_run_ends_in_the_same_bytes(gpu, data, make_model, tmp_path):
    fit(make_model(), data, "cuda", out=tmp_path / "whole")
    cut(make_model(), data, "cuda", 4, tmp_path / "cut")
    fit(make_model(), data, "cuda", resume=tmp_path / "cut")
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


OPTIMIZERS = {
    "sgd": lambda: optim.SGD(lr=0.1, momentum=0.9, nesterov=True, l1=1e-3),
    "rmsprop": lambda: optim.RMSprop(lr=0.01, momentum=0.5, centered=True),
    "adam": lambda: optim.Adam(lr=0.01, clip_norm=0.5, clip_value=0.2, weight_decay=0.1, ema=0.9),
    "adamw": lambda: optim.AdamW(lr=0.01),
}


def words(state):
    """The bits of a state, and its plain values."""
    if isinstance(state, dict):
        return {key: words(value) for key, value in state.items()}
    return (state.dtype, state.tobytes()) if isinstance(state, np.ndarray) else state


def everything(model, optimizer):
    counters = {name: counter.value for name, counter in model.counters().items()}
    return words(model.state_dict()), words(optimizer.state_dict()), counters


def stepped(model, optimizer, device, seed):
    """A training forward pass on the device, for the counters and the averages, and an update from drawn gradients."""
    rng, backend = np.random.default_rng(seed), backends.get(device)
    model.train()(backend.asarray(rng.standard_normal((8, 64), np.float32)))
    for parameter in model.parameters():
        parameter.grad = backend.asarray(rng.standard_normal(parameter.shape, np.float32))
    optimizer.step()


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_one_call_moves_everything_and_updates_from_equal_gradients_are_the_same(gpu, make, make_model):
    model, optimizer = make_model(batch_norm=False), make()
    optimizer.bind(model)
    stepped(model, optimizer, "cpu", 0)
    before = everything(model, optimizer)
    assert everything(model.to("cuda"), optimizer) == before
    assert everything(model.to("cpu"), optimizer) == before
    found = []
    for device in ("cpu", "cuda"):
        twin, its = make_model(batch_norm=False), make()
        its.bind(twin)
        stepped(twin, its, "cpu", 0)
        twin.to(device)
        for seed in (1, 2):
            stepped(twin, its, device, seed)
        found.append(everything(twin, its))
    assert found[0] == found[1]


def test_a_saved_state_is_loaded_to_the_bit(gpu, make_model):
    models = [make_model(seed=seed) for seed in (0, 1)]
    models[1].to("cuda").load_state_dict(models[0].state_dict())
    assert words(models[1].state_dict()) == words(models[0].state_dict())


def test_masks_and_shuffles_are_the_same(gpu, data, make_model):
    x, found = np.ones((7, 33), np.float32), []
    for device in ("cpu", "cuda"):
        backend, layer = backends.get(device), nn.Dropout(0.4)
        masks = [layer(backend.asarray(x)), layer(backend.asarray(x))]
        masks.append(F.dropout(backend.asarray(x), p=0.3, seed=7, stream=2, step=3))
        objective, order = make_objective("multi-class", 10), Order(16, seed=5)
        part = part_of(make_model().to(device), objective, data.train, order, None, Reading(resident=True))
        index = [given[0] for given in part.epoch(3, 1)]
        found.append([backends.get("cpu").asarray(array).tobytes() for array in (*masks, *index)])
    assert found[0] == found[1]
