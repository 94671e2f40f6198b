"""Ctrl-C in the middle of an epoch keeps the best model so far, and says where."""

import os
import signal

import numpy as np
import pytest

import twingrad as tg
from twingrad import optim
from twingrad.train import Callback, History, Interrupted, evaluate, load_model
from twingrad.train.saver import Saver


class PressCtrlC(Callback):
    """SIGINT, or another signal, to this process after one mini-batch of one epoch."""

    def __init__(self, epoch, batch=2, number=signal.SIGINT):
        self.at, self.batches_after, self.number = (epoch, batch), 0, number

    def on_step(self, run):
        if (run.epoch, run.batch) == self.at:
            os.kill(os.getpid(), self.number)
        elif (run.epoch, run.batch) > self.at:
            self.batches_after += 1


def fit(model, data, callback, **options):
    return tg.fit(
        model,
        data,
        optimizer=optim.Adam(lr=5e-3),
        epochs=9,
        batch_size=16,
        device="cpu",
        callbacks=[callback],
        **options,
    )


def test_the_best_so_far_is_kept_written_and_named(data, make_model, tmp_path):
    model, press = make_model(), PressCtrlC(epoch=4)
    with pytest.raises(Interrupted, match="interrupted in epoch 4: the best model so far") as stopped:
        fit(model, data, press, out=tmp_path / "run")
    history = stopped.value.history
    assert (len(history), history.interrupted, press.batches_after) == (3, True, 0)
    assert str(tmp_path / "run" / "model.safetensors") in str(stopped.value)
    assert f"epoch {history.best.epoch}, dev accuracy" in str(stopped.value)
    assert evaluate(model, data.dev).accuracy == history.best.dev_accuracy
    assert evaluate(load_model(tmp_path / "run"), data.dev) == evaluate(model, data.dev)
    assert "; go on with it: --resume" in str(stopped.value)
    assert len(History.read(tmp_path / "run" / "history.jsonl")) == 3


def test_without_a_folder_the_model_in_memory_is_named(data, make_model):
    with pytest.raises(KeyboardInterrupt, match="is in the model in memory"):
        fit(make_model(), data, PressCtrlC(epoch=2), keep="last")


def test_before_the_first_epoch_ended_there_is_a_checkpoint_but_no_model(data, make_model, tmp_path):
    with pytest.raises(Interrupted, match="in epoch 1: there is no trained model to keep; go on with it: --resume"):
        fit(make_model(), data, PressCtrlC(epoch=1), out=tmp_path / "new" / "run")
    assert [path.name for path in (tmp_path / "new" / "run").iterdir()] == ["last.safetensors"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_signal_is_told(data, make_model, number):
    with pytest.raises(Interrupted, match="before the first epoch ended: there is no trained model") as stopped:
        fit(make_model(), data, PressCtrlC(epoch=1, number=number))
    assert stopped.value.number == number


def test_the_handler_is_given_back(data, make_model):
    with pytest.raises(Interrupted):
        fit(make_model(), data, PressCtrlC(epoch=1))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_handler_of_the_user_s_own_stays(data, make_model):
    rung = []
    signal.signal(signal.SIGINT, lambda number, frame: rung.append(number))
    try:
        history = fit(make_model(), data, PressCtrlC(epoch=1))
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    assert rung == [signal.SIGINT]
    assert len(history) == 9


def test_an_interrupted_run_s_best_is_that_of_the_uninterrupted_one(data, make_model):
    cut, whole = make_model(), make_model()
    with pytest.raises(Interrupted):
        fit(cut, data, PressCtrlC(epoch=4))
    tg.fit(whole, data, optimizer=optim.Adam(lr=5e-3), epochs=3, batch_size=16, device="cpu")
    x = data.test.x
    np.testing.assert_array_equal(cut.eval()(x).numpy(), whole.eval()(x).numpy())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_while_the_run_is_saved(data, make_model, tmp_path, monkeypatch, number):
    save, calls = Saver.save, []

    def interrupted_save(saver, trainer):
        save(saver, trainer)
        calls.append(trainer.run.step)
        if trainer.run.history.interrupted:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(Saver, "save", interrupted_save)
    with pytest.raises(Interrupted, match=r"interrupted in epoch 2: .*; go on with it: --resume") as stopped:
        fit(make_model(), data, PressCtrlC(epoch=2, number=number), out=tmp_path / "run")
    assert (stopped.value.number, len(calls)) == (number, 1)
