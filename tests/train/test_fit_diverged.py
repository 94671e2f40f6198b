"""Runs whose loss, or a number of whose model, is not finite."""

import math

import numpy as np
import pytest

from twingrad import optim
from twingrad.train import Callback, Checkpoint, Diverged, History, evaluate, load_model

from fitting import fit


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of the reference path
def test_a_loss_that_is_not_finite_ends_the_run(data, make_model, tmp_path):
    model = make_model(batch_norm=False)
    told = r"the loss is nan after epoch 1, update 9; lower the learning rate \(it was 1e\+30\), .*no trained model"
    with pytest.raises(Diverged, match=told) as caught:
        fit(model, data, optimizer=optim.SGD(lr=1e30), out=tmp_path / "run")
    history = caught.value.history
    assert (len(history), history.best) == (1, None)
    assert not math.isfinite(history[-1].train_loss)
    assert "null" in history.to_jsonl()
    assert "NaN" not in history.to_jsonl()
    assert list(tmp_path.iterdir()) == []


class Explode(Callback):
    """A learning rate beyond all bounds after so many updates."""

    def __init__(self, step):
        self.step = step

    def on_step(self, run):
        run.optimizer.lr = 1e30 if run.step >= self.step else run.optimizer.lr


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("keep", ["best", "last"])
def test_what_was_best_before_a_run_diverged_is_kept(data, make_model, tmp_path, keep):
    model = make_model(batch_norm=False)
    with pytest.raises(Diverged, match=r"the best model so far \(epoch 2, dev accuracy .*\) is in .*model.safetensors"):
        fit(model, data, epochs=9, keep=keep, callbacks=[Explode(18)], out=tmp_path)
    history = History.read(tmp_path / "history.jsonl")
    assert [record.epoch for record in history] == [1, 2, 3]
    assert history.best.epoch == 2
    for found in (model, load_model(tmp_path)):
        assert evaluate(found, data.dev).accuracy == history.best.dev_accuracy


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_no_checkpoint_holds_what_is_not_finite(data, make_model, tmp_path):
    with pytest.raises(Diverged, match=r"is (not finite|nan) in epoch 2, update 1[12];"):
        fit(make_model(batch_norm=False), data, callbacks=[Explode(10)], out=tmp_path, checkpoint_every=1)
    last = Checkpoint.read(tmp_path / "last.safetensors")
    assert last.step in (10, 11)
    assert all(np.isfinite(array).all() for array in last.model.values())


class Poison(Callback):
    """A parameter that is infinite from an update on, where the loss does not see it."""

    def __init__(self, step):
        self.step = step

    def on_step(self, run):
        if run.step == self.step:
            run.model[1].running_var[...] = np.inf


@pytest.mark.parametrize("options", [{}, {"keep": "last"}, {"dev": None}])
def test_a_model_that_is_not_finite_is_not_kept_whatever_its_loss(data, make_model, tmp_path, options):
    model = make_model()
    if "dev" in options:
        data = data.train
    with pytest.raises(Diverged, match=r"1\.running_var of the model is not finite in epoch 3, update 27; .*epoch 2"):
        fit(model, data, callbacks=[Poison(27)], out=tmp_path, checkpoint_every=None, **options)
    for found in (model, load_model(tmp_path)):
        assert all(np.isfinite(array).all() for array in found.state_dict().values())
