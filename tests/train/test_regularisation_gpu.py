"""Smoothed labels, ensembles, recomputed statistics and signal reports on a GPU, beside the CPU."""

from __future__ import annotations

import numpy as np
import pytest

import twingrad as tg
from twingrad import backends, nn
from twingrad import functional as F
from twingrad.analysis import class_report, signal_report
from twingrad.random import normal
from twingrad.train import Ensemble, evaluate, predict

pytestmark = pytest.mark.gpu

X = normal((32, 64), seed=3, stream=0).astype(np.float32)


def on(device, make_model, **options):
    return make_model(**options).to(device)


def there(array):
    return backends.get("cuda").asarray(array)


def test_smoothed_labels_train_the_same_model(data, make_model):
    losses = [
        tg.fit(make_model(dropout=0.0), data, epochs=2, label_smoothing=0.2, device=device)[-1].dev_loss
        for device in ("cpu", "cuda")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_an_ensemble_is_moved_and_answers_as_on_the_cpu(data, make_model):
    here = Ensemble([make_model(seed=seed) for seed in range(3)])
    loss = evaluate(here, data.dev).loss
    moved = Ensemble([make_model(seed=seed) for seed in range(3)]).to("cuda")
    assert evaluate(moved, data.dev).loss == pytest.approx(loss, rel=1e-4)
    assert class_report(data.dev.y, predict(moved, data.dev.x)).n == len(data.dev)


def test_statistics_are_recomputed(make_model):
    here, moved = on("cpu", make_model), on("cuda", make_model)
    nn.recompute_statistics(here, [X[:16], X[16:]])
    nn.recompute_statistics(moved, [there(X[:16]), there(X[16:])])
    for name, value in moved.state_dict().items():
        np.testing.assert_allclose(value, here.state_dict()[name], rtol=1e-4, atol=1e-6, err_msg=name)


def test_signals_are_those_of_the_cpu(make_model):
    y = np.arange(32) % 10
    reports = [signal_report(on(device, make_model), X, y) for device in ("cpu", "cuda")]
    for here, moved in zip(*(report.layers for report in reports), strict=True):
        found = (moved.deviation, moved.gradient_norm, moved.weight_gradient or 0.0)
        assert found == pytest.approx((here.deviation, here.gradient_norm, here.weight_gradient or 0.0), rel=1e-3)


def test_one_hot_and_hardmax():
    labels, x = np.asarray([2, 0, 1]), normal((4, 5), seed=1, stream=0)
    np.testing.assert_array_equal(F.one_hot(there(labels), 3).get(), np.eye(3)[labels])
    np.testing.assert_array_equal(F.hardmax(there(x)).get(), F.hardmax(x))
    np.testing.assert_allclose(F.smooth_labels(there(labels), 0.3, 3).get(), F.smooth_labels(labels, 0.3, 3))
