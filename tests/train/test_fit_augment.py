"""`fit(augment=)`: every batch is changed by draws of (seed, epoch, batch), wherever it comes from."""

import re

import numpy as np
import pytest

import twingrad as tg
from twingrad import augment, nn, optim
from twingrad.augment import of_batch
from twingrad.data import Dataset, batches, loader
from twingrad.train import Interrupted

from killing import CutAt, files

CHANGE = augment.Compose(augment.Shift(1), augment.Rotate(10), augment.Noise(0.05), shape=(8, 8))
OPTIONS = {"epochs": 2, "batch_size": 16, "device": "cpu", "seed": 7}


class Seen:
    """A function that changes nothing and keeps what passes."""

    def __init__(self):
        self.x, self.keys = [], []

    def __call__(self, x, *, seed, step):
        self.x.append(np.array(x))
        self.keys.append((seed, step))
        return x


def weights(model):
    return {name: np.array(value) for name, value in model.state_dict().items()}


def trained(make_model, data, **options):
    model = make_model()
    history = tg.fit(model, data, optimizer=optim.Adam(lr=5e-3), **OPTIONS | options)
    return weights(model), history


def equal(a, b):
    return all(np.array_equal(a[name], b[name]) for name in a)


def test_two_runs_give_the_same_bits_and_another_seed_others(data, make_model):
    first, history = trained(make_model, data, augment=CHANGE)
    again, _ = trained(make_model, data, augment=CHANGE)
    assert history.step == "captured"
    assert equal(first, again)
    assert not equal(first, trained(make_model, data, augment=CHANGE, seed=8)[0])
    assert not equal(first, trained(make_model, data)[0])


def test_what_changes_nothing_gives_the_bits_of_none(data, make_model):
    assert equal(trained(make_model, data)[0], trained(make_model, data, augment=augment.Compose())[0])


def test_a_thread_that_reads_ahead_changes_nothing(data, make_model):
    assert equal(*(trained(make_model, data, augment=CHANGE, **each)[0] for each in ({}, {"prefetch": 2})))


def test_batches_are_those_of_the_loader(data, make_model):
    seen = Seen()
    tg.fit(make_model(), data, augment=seen, **OPTIONS)
    n, per_epoch = len(data.train), 9
    assert len(seen.keys) == 2 * per_epoch == len(set(seen.keys))
    for epoch in range(2):
        order = batches(n, 16, seed=7, epoch=epoch, smallest=2)
        for x, index in zip(seen.x[epoch * per_epoch :], order, strict=False):
            np.testing.assert_array_equal(x, data.train.x[index])
    mine = loader(data.train, batch_size=16, seed=7, epoch=1, smallest=2, start_batch=3, augment=CHANGE)
    for number, (x, _) in enumerate(mine, 3):
        wanted = of_batch(CHANGE, seen.x[per_epoch + number], seed=7, epoch=1, batch=number)
        np.testing.assert_array_equal(x, wanted)
        assert (x != seen.x[per_epoch + number]).any()


@pytest.mark.parametrize("step", [1, 4, 12])
def test_a_run_that_was_cut_short_ends_in_the_same_bytes(data, make_model, tmp_path, step):
    options = OPTIONS | {"augment": CHANGE}
    tg.fit(make_model(), data, out=tmp_path / "whole", **options)
    with pytest.raises(Interrupted):
        tg.fit(make_model(), data, out=tmp_path / "cut", callbacks=[CutAt(step)], **options)
    tg.fit(make_model(), data, resume=tmp_path / "cut", **options)
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_a_run_goes_on_only_with_the_same_augmentation(data, make_model, tmp_path):
    tg.fit(make_model(), data, out=tmp_path / "run", augment=CHANGE, **OPTIONS)
    told = "augment was .*Rotate.degrees=10.* and is .*Rotate.degrees=11"
    other = augment.Compose(augment.Shift(1), augment.Rotate(11), augment.Noise(0.05), shape=(8, 8))
    with pytest.raises(ValueError, match=told):
        tg.fit(make_model(), data, resume=tmp_path / "run", augment=other, **OPTIONS)


def blank(x, *, seed, step):
    """What a network can learn nothing from."""
    return 0.0 * x


def test_what_is_measured_is_not_changed(data, make_model):
    model = make_model()
    history = tg.fit(model, data.train, augment=blank, keep="last", **OPTIONS)
    measured = tg.train.evaluate(model, data.train)
    assert history[-1].train.loss == measured.loss
    zeros = Dataset(np.zeros_like(data.train.x), data.train.y, data.train.classes)
    assert tg.train.evaluate(model, zeros).loss < measured.loss


@pytest.mark.parametrize("scaled", [False, True])
def test_raw_features_are_changed_before_the_preprocessing(data, make_model, scaled):
    big = Dataset(data.train.x * 16 + 100, data.train.y)
    seen = Seen()
    tg.fit(make_model(), big, augment=seen, preprocessing="auto" if scaled else None, **OPTIONS)
    assert min(x.min() for x in seen.x) == 100.0
    assert max(x.max() for x in seen.x) == 116.0


def test_batches_of_the_users_own_are_changed_too(data, make_model):
    source = [(data.train.x[i : i + 16], data.train.y[i : i + 16]) for i in range(0, 48, 16)]
    seen = Seen()
    tg.fit(make_model(), source, augment=seen, **OPTIONS)
    keys = [seen.keys[i][1] for i in range(6)]
    assert keys == [0, 1, 2, 0, 1, 2]
    assert len(set(seen.keys)) == 6
    np.testing.assert_array_equal(seen.x[4], source[1][0])


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ("flip", TypeError, "fit: augment must be an Augmentation, such as augment.Shift(1)"),
        (
            augment.Compose(augment.Flip(), shape=(9, 9)),
            ValueError,
            "Compose: shape=(9, 9) is for x (N, 81); got (16, 64)",
        ),
        (augment.Flip(), ValueError, "Flip: x must be (N, H, W)"),
    ],
)
def test_bad_input(data, make_model, change, error, told):
    with pytest.raises(error, match=re.escape(told)):
        tg.fit(make_model(), data, augment=change, **OPTIONS)


def test_text_cannot_be_augmented(make_model, tmp_path):
    (tmp_path / "t.csv").write_text("city,y\n" + "Oslo,1\nRome,0\n" * 20)
    table = tg.data.load(tmp_path / "t.csv", target="y")
    with pytest.raises(ValueError, match="augment changes arrays of numbers; the data hold text"):
        tg.fit(nn.Sequential(nn.Linear(2, 1)), table, preprocessing="auto", augment=CHANGE, device="cpu")
