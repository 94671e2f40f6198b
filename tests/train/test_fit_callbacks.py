"""What callbacks of `fit` hear and may change, and what is kept."""

import pytest

from twingrad.train import Callback, evaluate

from fitting import fit


def test_best_and_last(data, make_model):
    class Spoil(Callback):
        """A learning rate that ruins the last epoch."""

        def on_evaluation(self, run, record):
            run.optimizer.lr = 10.0 if record.epoch == 3 else run.optimizer.lr

    best, last = make_model(), make_model()
    history = fit(best, data, epochs=4, callbacks=[Spoil()])
    fit(last, data, epochs=4, callbacks=[Spoil()], keep="last")
    assert [record.lr for record in history] == [5e-3, 5e-3, 5e-3, 10.0]
    assert history.best.epoch < 4
    assert evaluate(best, data.dev).accuracy == history.best.dev_accuracy
    assert evaluate(last, data.dev).accuracy == history[-1].dev_accuracy < history.best.dev_accuracy


def test_callbacks_hear_everything_in_order(data, make_model):
    heard = []

    class Ear(Callback):
        def on_start(self, run):
            heard.append("start")

        def on_step(self, run):
            heard.append((run.epoch, run.batch))

        def on_evaluation(self, run, record):
            heard.append(record.epoch)
            run.stop = record.epoch == 2

        def on_end(self, run):
            heard.append("end")

    records = []
    history = fit(make_model(), data, epochs=5, batch_size=72, callbacks=[Ear(), records.append])
    assert heard == ["start", (1, 1), (1, 2), 1, (2, 1), (2, 2), 2, "end"]
    assert records == list(history)
    assert len(history) == 2


def test_callbacks_hear_the_end_after_an_error(data, make_model):
    class Fragile(Callback):
        ended = False

        def on_step(self, run):
            raise RuntimeError("no")

        def on_end(self, run):
            self.ended = True

    fragile = Fragile()
    with pytest.raises(RuntimeError, match="no"):
        fit(make_model(), data, callbacks=[fragile])
    assert fragile.ended


def test_ctrl_c_before_the_first_step_leaves_nothing(data, make_model, tmp_path, monkeypatch):
    def stopped(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("twingrad.train.job.part_of", stopped)
    with pytest.raises(KeyboardInterrupt):
        fit(make_model(), data, out=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []
