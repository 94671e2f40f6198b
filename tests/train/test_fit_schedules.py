"""Every schedule of the learning rate in `fit`, with and without a folder."""

import pytest

import twingrad as tg
from twingrad import optim
from twingrad.optim import schedules


class Halving(schedules.Schedule):
    """A schedule of the user's own."""

    def __call__(self, step, epoch):
        return 0.1 * 0.5**epoch


SCHEDULES = {
    "InverseTime": schedules.InverseTime(0.1, decay=1.0),
    "Exponential": schedules.Exponential(0.1),
    "InverseSqrt": schedules.InverseSqrt(0.1),
    "Staircase": schedules.Staircase(0.1, every=1),
    "Table": schedules.Table({0: 0.1, 1: 0.01}),
    "Function": schedules.Function(lambda epoch: 0.1 / (1 + epoch)),
    "Cosine": schedules.Cosine(0.1, length=12),
    "CosineRestarts": schedules.CosineRestarts(0.1, length=4),
    "Triangular": schedules.Triangular(0.01, 0.1, half=5),
    "Warmup": schedules.Warmup(0.1, steps=4),
    "Warmup of a function": schedules.Warmup(schedules.Function(lambda step: 0.1, per="step"), steps=4),
    "one's own": Halving(),
}


def test_every_schedule_is_tried():
    assert schedules.SCHEDULES.keys() <= SCHEDULES.keys()


@pytest.mark.parametrize("lr", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("written", [False, True])
def test_every_schedule_gives_the_rates_of_a_fit(data, make_model, tmp_path, lr, written):
    folder = tmp_path / "run" if written else None
    history = tg.fit(make_model(), data, optimizer=optim.SGD(lr=lr), epochs=2, batch_size=24, device="cpu", out=folder)
    assert [record.lr for record in history] == [lr(5, 0), lr(11, 1)]


@pytest.mark.parametrize("given", [False, True])
def test_a_second_fit_counts_on_from_the_epochs_done(data, make_model, given):
    """Whatever the batch size of each, and where batches of the user's own tell no count."""
    model, optimizer, rates = make_model(), optim.SGD(lr=Halving()), []
    train = [(data.train.x[start:][:48], data.train.y[start:][:48]) for start in (0, 48, 96)]
    for batch_size in (16, 48):
        options = {"optimizer": optimizer, "epochs": 2, "batch_size": batch_size, "device": "cpu"}
        rates += [record.lr for record in tg.fit(model, train if given else data, **options)]
    assert rates == [0.1, 0.05, 0.025, 0.0125]


def test_an_epoch_that_was_cut_short_begins_anew(data, make_model):
    def stop(run, record):
        run.stop = True

    callback = tg.train.Callback()
    callback.on_evaluation = stop
    model, optimizer = make_model(), optim.SGD(lr=Halving())
    options = {"optimizer": optimizer, "batch_size": 16, "device": "cpu", "epochs": 3}
    tg.fit(model, data, evaluate_every=12, callbacks=[callback], **options)
    assert (optimizer.steps_taken, optimizer.epochs_done) == (12, 1)
    assert [record.lr for record in tg.fit(model, data, **options)] == [0.05, 0.025, 0.0125]
