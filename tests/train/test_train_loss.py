"""What the mini-batches lose while they are learned from: reported, and watched."""

import math

import numpy as np
import pytest

import twingrad as tg
from twingrad import functional as F
from twingrad import nn, optim
from twingrad.data import Dataset, loader
from twingrad.train import Callback, Diverged

LR = 0.05


def losses_by_hand(model, train, epochs, batch_size):
    """(loss, examples) of each mini-batch of each epoch, by a loop of its own."""
    optimizer = optim.SGD(model, lr=LR)
    for epoch in range(epochs):
        told = []
        for x, y in loader(train, batch_size=batch_size, epoch=epoch, prefetch=0):
            loss = F.softmax_cross_entropy(model(x.astype(np.float32)), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            told.append((float(loss), len(y)))
        yield told


@pytest.mark.parametrize("batch_size", [16, 20])  # 9 of 16; 7 of 20 and one of 4
@pytest.mark.parametrize("capture", ["auto", "never"])
def test_the_loss_of_the_steps_is_their_mean_over_the_examples(data, make_model, batch_size, capture):
    how = {"epochs": 3, "batch_size": batch_size, "device": "cpu", "optimizer": optim.SGD(lr=LR), "capture": capture}
    history = tg.fit(make_model(), data, train_loss="steps", **how)
    for record, told in zip(history, losses_by_hand(make_model(), data.train, 3, batch_size), strict=True):
        assert math.isclose(record.train_loss, math.fsum(loss * n for loss, n in told) / 144, rel_tol=1e-12)
        assert record.train.metrics == {}
        assert record.dev_accuracy > 0
    assert history[-1].train_loss < history[0].train_loss


def test_it_changes_neither_steps_nor_the_dev_part(data, make_model):
    runs = {kind: (make_model(), kind) for kind in ("evaluated", "steps")}
    found = [
        tg.fit(model, data, epochs=3, batch_size=16, device="cpu", train_loss=kind) for model, kind in runs.values()
    ]
    assert [r.dev for r in found[0]] == [r.dev for r in found[1]]
    one, two = (model.state_dict() for model, _ in runs.values())
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_between_evaluations_and_over_accumulated_batches(data, make_model):
    model = make_model(dropout=0.0, batch_norm=False)

    def run(model, **options):
        how = {"batch_size": 16, "device": "cpu", "epochs": 1, "train_loss": "steps"}
        return tg.fit(model, data, optimizer=optim.SGD(lr=1e-30), **how, **options)

    whole = run(model)[-1].train_loss
    parts = run(make_model(dropout=0.0, batch_norm=False), evaluate_every=4)
    assert [record.step for record in parts] == [4, 8, 9]
    assert math.isclose(sum(r.train_loss * n for r, n in zip(parts, (4, 4, 1), strict=True)) / 9, whole, rel_tol=1e-12)
    pairs = run(make_model(dropout=0.0, batch_norm=False), accumulate=2)
    assert math.isclose(pairs[-1].train_loss, whole, rel_tol=1e-12)
    assert math.isclose(tg.train.evaluate(model, data.train).loss, whole, rel_tol=1e-6)


def test_without_a_dev_part_it_chooses_the_best(data, make_model):
    history = tg.fit(make_model(), data.train, epochs=3, batch_size=16, device="cpu", train_loss="steps")
    assert history.best.train_loss == min(record.train_loss for record in history)


def test_another_name_is_refused(data, make_model):
    with pytest.raises(ValueError, match=r"train_loss.*evaluated, steps"):
        tg.fit(make_model(), data, train_loss="none")


class Count(Callback):
    """How many updates there were."""

    updates = 0

    def on_step(self, run):
        self.updates = run.step


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of the reference path
@pytest.mark.parametrize("options", [{}, {"train_loss": "steps"}, {"capture": "never"}])
def test_a_long_epoch_that_diverges_ends_early_and_says_where(make_model, options):
    digits, count = tg.data.load("digits").take(slice(0, 1000)), Count()
    how = {"batch_size": 4, "device": "cpu", "epochs": 1, "callbacks": [count]}
    with pytest.raises(Diverged, match=r"the loss is (nan|inf) in epoch 1, update [2-9]; lower the learning") as caught:
        tg.fit(make_model(batch_norm=False), digits, optimizer=optim.SGD(lr=1e30), **how, **options)
    assert count.updates == 63  # of 250
    assert len(caught.value.history) == 0


@pytest.mark.parametrize("capture", ["auto", "never"])
@pytest.mark.parametrize("batch_size", [4, 8])
def test_mini_batches_whose_weights_are_all_zero_teach_nothing(capture, batch_size):
    rng = np.random.default_rng(0)
    train = Dataset(rng.standard_normal((64, 5), dtype=np.float32), rng.integers(0, 3, 64))
    weight = np.zeros(64, np.float32)
    weight[5] = 2.0
    model = nn.Sequential(nn.Linear(5, 3), seed=0)
    before = model.state_dict()["0.weight"]
    how = {"epochs": 2, "batch_size": batch_size, "device": "cpu", "capture": capture, "optimizer": optim.SGD(lr=0.1)}
    history = tg.fit(model, train, example_weight=weight, train_loss="steps", keep="last", **how)
    assert all(math.isfinite(record.train_loss) for record in history)
    alone = nn.Sequential(nn.Linear(5, 3), seed=0)
    one = Dataset(train.x[5:6], train.y[5:6], classes=train.classes)
    tg.fit(alone, one, epochs=2, batch_size=1, device="cpu", optimizer=optim.SGD(lr=0.1), keep="last")
    np.testing.assert_allclose(model.state_dict()["0.weight"], alone.state_dict()["0.weight"], rtol=1e-5, atol=1e-7)
    assert not np.array_equal(before, model.state_dict()["0.weight"])
