"""`fit` with smoothed labels and without dropout; ensembles of independent models and of snapshots."""

from __future__ import annotations

import numpy as np
import pytest

import twingrad as tg
from twingrad import functional as F
from twingrad import nn, optim
from twingrad.data import Dataset
from twingrad.random import normal
from twingrad.train import Ensemble, Snapshots, dense, evaluate, predict, predict_probabilities

from libraries import LIBRARIES

QUICK = {"batch_size": 32, "device": "cpu"}


def weights(model):
    return np.concatenate([value.ravel() for value in model.state_dict().values()])


def test_without_dropout_a_run_is_that_of_a_network_that_has_none(data, make_model):
    dropped, off, none = make_model(dropout=0.5), make_model(dropout=0.5), make_model(dropout=0.0)
    tg.fit(dropped, data, epochs=2, **QUICK)
    history = tg.fit(off, data, epochs=2, dropout=False, **QUICK)
    assert history.step == "captured"
    tg.fit(none, data, epochs=2, **QUICK)
    assert weights(off).tobytes() == weights(none).tobytes() != weights(dropped).tobytes()
    assert off[3].counter.value == 0
    assert off[3].training


def by_hand(model, train, smoothing, epochs):
    """The same run with targets that were smoothed beforehand."""
    optimizer = optim.Adam(model)
    for epoch in range(epochs):
        for index in tg.data.batches(len(train), 32, seed=0, epoch=epoch):
            target = F.smooth_labels(train.y[index], smoothing, 10, dtype=np.float32)
            optimizer.zero_grad()
            F.softmax_cross_entropy(model(train.x[index].astype(np.float32)), target).backward()
            optimizer.step()


@pytest.mark.parametrize("capture", ["auto", "never"])
def test_labels_are_smoothed_in_training_and_not_in_what_is_reported(data, make_model, capture):
    model, other = make_model(batch_norm=False, dropout=0.0), make_model(batch_norm=False, dropout=0.0)
    options = {"label_smoothing": 0.2, "optimizer": optim.Adam(), "keep": "last", "capture": capture}
    history = tg.fit(model, data, epochs=2, **options, **QUICK)
    by_hand(other, data.train, 0.2, 2)
    assert weights(model).tobytes() == weights(other).tobytes()
    assert history[-1].train_loss == evaluate(model, data.train).loss
    assert history.step == ("captured" if capture == "auto" else "eager (asked for)")


@pytest.mark.parametrize("task", ["binary", "multi-label"])
def test_smoothed_labels_of_a_sigmoid(task):
    """Its logits rest where sigmoid is 1 - s/2, however long it is trained."""
    y = np.arange(40) % 2 if task == "binary" else np.stack([np.arange(40) % 2, np.arange(40) // 20], axis=1)
    x = np.float32(2 * y.reshape(40, -1) - 1)
    model = nn.Sequential(nn.Linear(x.shape[1], x.shape[1]), seed=0)
    tg.fit(model, Dataset(x, y), epochs=300, label_smoothing=0.2, optimizer=optim.SGD(lr=1.0), keep="last", **QUICK)
    p = predict_probabilities(model, x)
    p = p[:, 1] if task == "binary" else p
    np.testing.assert_allclose(np.where(y == 1, p, 1 - p), 0.9, atol=1e-3)


BAD = {
    "smoothing": ({"label_smoothing": 1.0}, ValueError, r"label_smoothing must be in \[0, 1\), got 1.0"),
    "negative": ({"label_smoothing": -0.1}, ValueError, r"label_smoothing must be in \[0, 1\), got -0.1"),
    "function": (
        {"label_smoothing": 0.1, "loss": lambda z, y: z.sum()},
        ValueError,
        "does not apply to the loss .*; it suits the cross-entropies",
    ),
    "dropout": ({"dropout": 0.5}, TypeError, r"dropout is True or False, .* got 0.5"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments(data, make_model, case):
    options, error, message = BAD[case]
    model = make_model()
    before = weights(model)
    with pytest.raises(error, match=message):
        tg.fit(model, data, **options, **QUICK)
    np.testing.assert_array_equal(weights(model), before)


def test_a_regression_has_no_labels_to_smooth():
    with pytest.raises(ValueError, match="label_smoothing does not apply to the loss 'mean_squared_error'"):
        tg.fit(
            nn.Sequential(nn.Linear(2, 1)), Dataset(np.zeros((4, 2)), np.zeros(4)), label_smoothing=0.1, batch_size=2
        )


def test_dropout_of_each_layer():
    model = dense(8, 3, hidden=[7, 6, 5], dropout=[0.5, 0.0, 0.2])
    assert [layer.p for layer in model if isinstance(layer, nn.Dropout)] == [0.5, 0.2]
    for dropout, message in (
        ([0.5], r"each of 3 hidden layers; got \[0.5\]"),
        ([0, 1, 0], "got 1"),
        (-0.1, "got -0.1"),
    ):
        with pytest.raises(ValueError, match=message):
            dense(8, 3, hidden=[7, 6, 5], dropout=dropout)


REGULARISERS = {
    "L2": (lambda: optim.Adam(weight_decay=-0.1), "weight_decay must be a finite number of at least 0, got -0.1"),
    "L1": (lambda: optim.SGD(l1=-1e-3), "l1 must be a finite number of at least 0, got -0.001"),
    "keep probability 0": (lambda: nn.Dropout(1 - 0.0), r"p in \[0, 1\), got 1.0; keep_prob of other texts is 1 - p"),
}


@pytest.mark.parametrize("case", REGULARISERS)
def test_bad_regularisers(case):
    make, message = REGULARISERS[case]
    with pytest.raises(ValueError, match=message):
        make()


TASKS = {"multi-class": 3, "binary": 1, "binary of two logits": 2, "multi-label": 3, "regression": 2}


def members(task, outputs):
    """Three models, of large logits too."""
    models = [nn.Sequential(nn.Linear(4, outputs), seed=seed) for seed in range(3)]
    for scale, model in zip((1.0, 5.0, 40.0), models, strict=True):
        model[0].weight = scale * model[0].weight.numpy()
        model.fitted_task = task.partition(" of ")[0]
    return models


@pytest.mark.parametrize("task", TASKS)
def test_an_ensemble_is_the_mean_of_its_members(task):
    models, x = members(task, TASKS[task]), normal((50, 4), seed=1, stream=0).astype(np.float32)
    ensemble = Ensemble(models)
    ask = predict if task == "regression" else predict_probabilities
    mean = np.mean([ask(model, x) for model in models], axis=0)
    np.testing.assert_allclose(ask(ensemble, x), mean, rtol=2e-5, atol=1e-7)
    assert len(ensemble) == 3
    if task == "multi-class":
        assert np.array_equal(predict(ensemble, x), mean.argmax(axis=1))


@pytest.mark.parametrize("library", LIBRARIES[2:], ids=repr)
@pytest.mark.parametrize("task", ["multi-class", "binary", "regression"])
def test_ensembles_of_other_libraries(library, task):
    x = normal((5, 4), seed=1, stream=0).astype(np.float32)
    ensemble = Ensemble(members(task, TASKS[task]))
    here = ensemble(x).numpy()
    there = ensemble.to(like=library.asarray(x, "float32"))(library.asarray(x, "float32"))
    np.testing.assert_allclose(library.numpy(there), here, rtol=1e-4, atol=1e-5)


def test_models_that_were_never_called_keep_their_weights():
    models = [nn.Sequential(nn.Linear(4, 3), seed=seed) for seed in (5, 5, 6)]
    ensemble = Ensemble(models)
    for member, model in zip(ensemble, models, strict=True):
        np.testing.assert_array_equal(weights(member), weights(model))


def test_an_ensemble_holds_copies_and_is_evaluated_as_any_model(data, make_model):
    models = [make_model(seed=seed) for seed in range(3)]
    for model in models:
        tg.fit(model, data, epochs=4, **QUICK)
    before, ensemble = [weights(model) for model in models], Ensemble(models)
    found = evaluate(ensemble, data.test)
    p = np.mean([predict_probabilities(model, data.test.x) for model in models], axis=0)
    assert found.loss == pytest.approx(-np.log(p[np.arange(len(p)), data.test.y]).mean(), rel=1e-5)
    assert found.loss < np.mean([evaluate(model, data.test).loss for model in models])  # Jensen: always
    for model, values in zip(models, before, strict=True):
        np.testing.assert_array_equal(weights(model), values)
        assert model.root() is model
    tg.fit(models[0], data, epochs=1, **QUICK)
    assert evaluate(ensemble, data.test) == found


def test_snapshots_are_the_weights_at_the_end_of_each_cycle(data, make_model):
    seen, snapshots, model = [], Snapshots(2), make_model()
    rates = optim.schedules.CosineRestarts(0.01, length=2 * 5)
    options = {"optimizer": optim.Adam(lr=rates), "epochs": 5, **QUICK}
    tg.fit(model, data, callbacks=[snapshots, lambda record: seen.append(weights(model))], **options)
    assert list(snapshots.states) == [2, 4]
    for found, epoch in zip(snapshots.models(model), (2, 4), strict=True):
        np.testing.assert_array_equal(weights(found), seen[epoch - 1])
    x = data.test.x
    mean = np.mean([predict_probabilities(found, x) for found in snapshots.models(model)], axis=0)
    np.testing.assert_allclose(predict_probabilities(snapshots.ensemble(model), x), mean, rtol=1e-5, atol=1e-7)
    last = predict_probabilities(snapshots.ensemble(model, last=1), x)
    np.testing.assert_allclose(last, predict_probabilities(snapshots.models(model)[1], x), rtol=1e-5, atol=1e-7)


def test_snapshots_do_not_depend_on_when_a_run_is_measured(data, make_model):
    """At the end of an epoch, measured then or not."""
    pairs = [(data.train.x[i : i + 50], data.train.y[i : i + 50]) for i in range(0, 150, 50)]
    options = {"epochs": 4, "device": "cpu", "keep": "last"}
    kept = []
    for given, more in ((pairs, {}), (pairs, {"evaluate_every": 2}), (pairs, {"evaluate_every": 10**6})):
        kept.append(Snapshots(2))
        tg.fit(make_model(), given, callbacks=[kept[-1]], **options, **more)
    kept.append(Snapshots(2))
    tg.fit(make_model(), lambda epoch: iter(pairs), callbacks=[kept[-1]], **options)
    for snapshots in kept:
        assert list(snapshots.states) == [2, 4]
        for epoch, state in kept[0].states.items():
            for name, value in state.items():
                np.testing.assert_array_equal(snapshots.states[epoch][name], value)


def test_snapshots_survive_a_run_that_is_resumed(data, make_model, tmp_path):
    whole, first, second = Snapshots(1), Snapshots(1), Snapshots(1)
    tg.fit(make_model(), data, epochs=3, callbacks=[whole], **QUICK)
    tg.fit(make_model(), data, epochs=2, callbacks=[first], out=tmp_path / "run", **QUICK)
    tg.fit(make_model(), data, epochs=3, callbacks=[second], resume=tmp_path / "run", **QUICK)
    assert list(second.states) == [1, 2, 3]
    for epoch, state in whole.states.items():
        for name, value in state.items():
            np.testing.assert_array_equal(second.states[epoch][name], value)


WRONG = {
    "none": (lambda: Ensemble([]), "at least one model"),
    "one model": (lambda: Ensemble(nn.Sequential(nn.Linear(2, 2))), "a list of at least one model, .* got Sequential"),
    "tasks": (
        lambda: Ensemble([*members("regression", 1), *members("binary", 1)]),
        "have the tasks binary, regression",
    ),
    "task": (lambda: Ensemble(members("binary", 1), task="bianry"), "did you mean 'binary'"),
    "snapshots": (lambda: Snapshots(5).ensemble(nn.Sequential(nn.Linear(1, 1))), r"Snapshots\(5\) holds 0 models"),
    "every": (lambda: Snapshots(0), "every is a number of epochs from 1; got 0"),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_ensembles(case):
    make, message = WRONG[case]
    with pytest.raises(ValueError, match=message):
        make()
