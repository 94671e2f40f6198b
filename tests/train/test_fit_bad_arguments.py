"""Bad arguments of `fit`: refused by name, rule and value before anything happens."""

import numpy as np
import pytest

from twingrad import functional as F
from twingrad import nn, optim
from twingrad.data import Dataset
from twingrad.train import Callback, evaluate, lr_range_test

from fitting import assert_same, fit


def narrow(data):
    return Dataset(data.train.x[:, :5], data.train.y)


def many(data):
    return Dataset(data.train.x, data.train.y + 3)


BAD = {
    "unknown loss": ({"loss": "crossentropy"}, ValueError, "unknown loss 'crossentropy'; did you mean 'cross_entropy'"),
    "unknown optimizer": ({"optimizer": "adm"}, ValueError, "unknown optimizer 'adm'; did you mean 'adam'"),
    "optimizer class": ({"optimizer": optim.Adam}, TypeError, r"like optim.Adam\(lr=1e-3\); got <class"),
    "negative epochs": ({"epochs": -1}, ValueError, "epochs must be at least 0; got -1"),
    "endless epochs": ({"epochs": 2**32}, ValueError, r"epochs must be at least 0 and below 2\*\*32; got 4294967296"),
    "fractional epochs": ({"epochs": 1.5}, TypeError, "epochs must be an int; got 1.5"),
    "batch size 0": ({"batch_size": 0}, ValueError, "batch_size must be at least 1; got 0"),
    "batch size above data": ({"batch_size": 145}, ValueError, "must not exceed the 144 training examples; got 145"),
    "batch size 1": ({"batch_size": 1}, ValueError, "batch_size must be at least 2, because the model has batch norm"),
    "negative seed": ({"seed": -1}, ValueError, r"seed must be at least 0 and below 2\*\*64; got -1"),
    "device": ({"device": "gpu0"}, ValueError, "unknown device 'gpu0'"),
    "keep": ({"keep": "bets"}, ValueError, "unknown value of keep 'bets'; did you mean 'best'"),
    "capture": ({"capture": True}, ValueError, "unknown value of capture True"),
    "callback": ({"callbacks": [3]}, TypeError, "a callback is a Callback or a function of a Record; got 3"),
    "callback class": ({"callbacks": [Callback]}, TypeError, "got <class"),
    "features": ({"data": narrow}, ValueError, r"data set 'data' \(5 features\) does not suit the model: .*64"),
    "labels": ({"data": many}, ValueError, r"10 outputs: labels must lie in \[0, 10\); row \d+ has label 1[0-2]"),
    "data": ({"data": lambda data: (data.train.x, data.train.y)}, TypeError, "must be a Dataset or the Splits"),
    "a name": ({"data": lambda data: "digits"}, TypeError, r"not its name; tg.data.load\('digits'\).split\(seed=0\)"),
    "no integer": ({"seed": np.float64(1)}, TypeError, r"seed must be an int; got np.float64\(1.0\)"),
    "true": ({"epochs": True}, TypeError, "epochs must be an int; got True"),
    "class weights": ({"class_weight": [1, 2]}, ValueError, "class_weight must be 10 numbers, one for each class,"),
    "weights of nothing": ({"class_weight": [0] * 10}, ValueError, "finite and at least 0, not all 0; got"),
    "no example's weight": ({"example_weight": np.zeros(144)}, ValueError, r"finite and at least 0, not all 0; got sh"),
    "negative weight": ({"class_weight": [-1] * 10}, ValueError, "finite and at least 0"),
    "word of weights": ({"class_weight": "balance"}, ValueError, "'balance'; did you mean 'balanced'"),
    "callbacks": ({"callbacks": 3}, TypeError, "callbacks must be a list of Callbacks and functions; got 3"),
    "out": ({"out": 3}, TypeError, "out must be the path of a folder or a RunFolder; got 3"),
    "resume": ({"out": None, "resume": 3}, TypeError, "resume must be the path of a folder or a RunFolder; got 3"),
    "weights by class": ({"class_weight": {0: 1}}, TypeError, 'must be 10 numbers, "balanced" or None; got {0: 1}'),
    "words as weights": ({"example_weight": ["a"] * 144}, TypeError, "example_weight must be numbers, got an array of"),
    "no data": ({"data": lambda data: data.train.take(slice(0, 0))}, ValueError, "holds no examples"),
}


@pytest.mark.parametrize(("options", "kind", "message"), BAD.values(), ids=BAD)
def test_bad_arguments_are_refused_before_anything_happens(data, make_model, tmp_path, options, kind, message):
    model, heard = make_model(), []
    before = model.state_dict()
    given = {"callbacks": [heard.append], "out": tmp_path / "run"} | options
    chosen = given.pop("data", lambda data: data)(data)
    with pytest.raises(kind, match=message):
        fit(model, chosen, **given)
    assert_same(before, model.state_dict())
    assert heard == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("call", [fit, evaluate, lr_range_test])
def test_what_is_no_model_is_refused(data, call):
    with pytest.raises(TypeError, match=r"model must be an nn\.Module, .*; got list"):
        call([1, 2], data.train)


def test_balanced_weights_are_those_of_the_counts(data, make_model):
    counts = np.bincount(data.train.y)
    one, two = make_model(), make_model()
    fit(one, data, class_weight="balanced", keep="last")
    fit(two, data, class_weight=len(data.train) / (10 * counts), keep="last")
    assert_same(one.state_dict(), two.state_dict())
    with pytest.raises(ValueError, match="class_weight='balanced' needs a data set"):
        fit(make_model(), [(data.train.x, data.train.y)], class_weight="balanced")
    numbers = Dataset(data.train.x, data.train.y.astype(float))
    with pytest.raises(ValueError, match="class_weight='balanced' does not apply to a regression task"):
        fit(nn.Sequential(nn.Linear(64, 1)), numbers, class_weight="balanced")


@pytest.mark.parametrize(
    ("loss", "found"),
    [
        (lambda z, t: 1.0, "a float"),
        (lambda z, t: F.softmax_cross_entropy(z, t, reduction="none"), r"one of shape \(16,\)"),
    ],
)
def test_a_loss_that_is_not_one_number_is_refused(data, make_model, loss, found):
    with pytest.raises(TypeError, match=rf"return the mean loss, a Tensor of shape \(\); it gave {found}"):
        fit(make_model(), data, loss=loss)


def test_a_model_that_returns_two_things_is_refused(data):
    class Pair(nn.Linear):
        def forward(self, x):
            return super().forward(x), x

    with pytest.raises(ValueError, match=r"must return outputs \(N, C\); for one example it returns a tuple"):
        fit(Pair(64, 10), data)


@pytest.mark.parametrize("capture", ["auto", "never"])
@pytest.mark.parametrize(
    ("labels", "outputs", "message"),
    [
        (np.asarray([0, 1, 2, 3]), 3, r"labels must lie in \[0, 3\); row 3 has label 3"),
        (np.asarray([0, 1, 0, -1]), 3, r"labels must lie in \[0, 3\); row 3 has label -1"),
        (np.asarray([0, 1, 1, 2]), 1, r"labels must lie in \[0, 2\); row 3 has label 2"),
        (np.asarray([[0, 1], [1, 0], [9, 0], [0, 0]]), 2, r"labels must lie in \[0, 1\]; row 2 holds \[9 0\]"),
    ],
)
def test_labels_of_batches_that_a_replay_would_not_look_at_are_refused(labels, outputs, message, capture):
    x, good = np.ones((4, 2), np.float32), np.clip(labels, 0, 1)
    given = [(x, good), (x, good), (x, labels)]
    with pytest.raises(ValueError, match=f"batch 2 of epoch 0: {message}"):
        fit(nn.Linear(2, outputs), given, dev=Dataset(x, good), train_loss="steps", capture=capture)
