"""`evaluate` against plain NumPy."""

from pathlib import Path

import numpy as np
import pytest

from twingrad import nn
from twingrad.data import Dataset, Preprocessing
from twingrad.train import evaluate, predict, predict_probabilities


@pytest.mark.parametrize("batch_size", [1, 7, 48, 1000])
@pytest.mark.parametrize("training", [True, False])
def test_loss_and_accuracy_are_numpy_s(data, make_model, batch_size, training):
    model = make_model().train(training)
    found = evaluate(model, data.dev, batch_size=batch_size)
    assert model.training is training
    logits = model.eval()(data.dev.x).numpy().astype(np.float64)
    logits -= np.log(np.exp(logits).sum(1, keepdims=True))
    assert found.loss == pytest.approx(-logits[np.arange(len(logits)), data.dev.y].mean(), rel=1e-5)
    assert found.accuracy == (logits.argmax(1) == data.dev.y).mean()


def test_nothing_changes_in_the_model(data, make_model):
    model = make_model()
    before = model.state_dict()
    evaluate(model, data.dev)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(before[name], value)


def test_bad_arguments(data, make_model):
    with pytest.raises(ValueError, match="batch_size must be at least 1; got 0"):
        evaluate(make_model(), data.dev, batch_size=0)
    with pytest.raises(ValueError, match="holds no examples"):
        evaluate(make_model(), data.dev.take(slice(0, 0)))
    with pytest.raises(TypeError, match=r"evaluate: data must be a Dataset, such as .*; got tuple"):
        evaluate(make_model(), (data.dev.x, data.dev.y))
    with pytest.raises(ValueError, match="unknown loss 'hinge'"):
        evaluate(make_model(), data.dev, loss="hinge")


def test_predictions_that_do_not_follow_are_told(data, make_model):
    model, x = make_model(), data.dev.x[:8].copy()
    x[[2, 5], 3] = np.nan
    with pytest.warns(UserWarning, match=r"outputs are not finite for 2 examples \(rows 2, 5\): no answer follows"):
        found = predict(model, x)
    kept = [0, 1, 3, 4, 6, 7]
    np.testing.assert_array_equal(found[kept], predict(model, x[kept]))


@pytest.mark.parametrize("call", [predict, predict_probabilities])
def test_a_file_is_no_array_of_examples(call):
    model = nn.Sequential(nn.Linear(2, 2))
    for file in ("new.csv", Path("new.csv")):
        with pytest.raises(
            TypeError, match=r"x must be an array or a Table; got a file's name, 'new.csv': pass its rows"
        ):
            call(model, file)


def test_predict_names_the_row_of_all_examples():
    x = np.random.default_rng(0).normal(size=(1500, 2))
    model = nn.Sequential(nn.Linear(2, 2))
    model.preprocessing = Preprocessing.fit(Dataset(x, np.arange(1500) % 2))
    x[1200, 1] = 1e300
    with pytest.raises(ValueError, match=r"^row 1200, column 1: 1e\+300 is too large for float32 once scaled"):
        predict(model, x)
