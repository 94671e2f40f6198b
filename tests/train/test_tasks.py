"""`fit`, `evaluate` and `predict` for every task: losses, metrics, preprocessing, weights, accumulation, streams."""

import numpy as np
import pytest

import twingrad as tg
from twingrad import functional as F
from twingrad import nn, optim
from twingrad.data import Dataset, Preprocessing
from twingrad.train import Callback, EarlyStopping, dense, evaluate, load_model, predict, predict_probabilities

DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(200, 6)) * [1, 10, 100, 1, 1, 1] + [0, 5, -40, 0, 0, 0]
SCORE = (X - X.mean(0)) / X.std(0) @ DRAW.normal(size=(6, 3))
TARGETS = {
    "binary": (SCORE[:, 0] > 0).astype(int),
    "multi-class": SCORE.argmax(1),
    "multi-label": (SCORE > 0).astype(int),
    "regression": 50 * SCORE[:, 0] + 300,
    "several targets": SCORE * [1, 100, 1e4] + [0, 1e3, 0],
}
LEAST = {"binary": 0.9, "multi-class": 0.85, "multi-label": 0.85}


def table(kind):
    return Dataset(X, TARGETS[kind], name=kind)


def fit(model, data, **options):
    options = {"epochs": 40, "batch_size": 20, "device": "cpu", "optimizer": optim.Adam(lr=0.01)} | options
    return tg.fit(model, data, **options)


def same(one, other):
    one, other = one.state_dict(), other.state_dict()
    return all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("kind", TARGETS)
def test_every_task_learns_measures_and_predicts(kind, tmp_path):
    data = table(kind).split(seed=0)
    model = dense(6, data.train.outputs, hidden=[16], seed=0)
    history = fit(model, data, preprocessing="auto", out=tmp_path)
    measured = evaluate(model, data.test)
    assert history.best.dev.metrics.keys() == measured.metrics.keys()
    loaded = load_model(tmp_path)
    assert loaded.preprocessing == model.preprocessing == Preprocessing.fit(data.train)
    assert evaluate(loaded, data.test) == measured
    found = predict(loaded, data.test.x)
    check(data.test, found, measured)
    if data.test.task != "regression":
        assert measured.accuracy > LEAST[kind]
        assert predict_probabilities(loaded, data.test.x).shape == (40, {"binary": 2}.get(kind, 3))


def check(data, found, measured):
    """The evaluation is what NumPy makes of the predictions."""
    y = data.y.reshape(found.shape)
    if data.task != "regression":
        assert measured.accuracy == pytest.approx((found == y).mean())
        if data.task == "multi-label":
            assert measured.exact_match == (found == y).all(axis=1).mean()
            np.testing.assert_allclose(measured.by_label, (found == y).mean(axis=0))
        return
    errors = found - y
    r2 = 1 - (errors**2).sum(0) / ((y - y.mean(0)) ** 2).sum(0)
    assert measured.r2 == pytest.approx(r2.mean(), rel=1e-9)
    assert measured.r2 > 0.9
    assert measured.rmse == pytest.approx(np.sqrt((errors**2).mean(0)).mean(), rel=1e-9)
    assert measured.mae == pytest.approx(np.abs(errors).mean(0).mean(), rel=1e-9)


def test_r2_is_scikit_learn_s():
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn (extra `oracle`) is not installed")
    data = table("several targets")
    model = dense(6, 3, hidden=[8], seed=0)
    fit(model, data, preprocessing="auto", epochs=3)
    measured, found = evaluate(model, data, batch_size=7), predict(model, X)
    assert measured.r2 == pytest.approx(metrics.r2_score(data.y, found), rel=1e-12)
    assert measured.mae == pytest.approx(metrics.mean_absolute_error(data.y, found), rel=1e-12)


@pytest.mark.parametrize("loss", ["mean_squared_error", "mean_absolute_error"])
def test_both_losses_of_a_regression(loss):
    data = table("regression").split(seed=0)
    model = dense(6, 1, hidden=[16], seed=0)
    history = fit(model, data, preprocessing="auto", loss=loss)
    assert evaluate(model, data.test, loss=loss).r2 > 0.9
    prepared = model.preprocessing
    away = model.eval()(prepared.apply(data.dev.x)).numpy() - prepared.targets(data.dev.y)
    mean = (np.abs(away) if "absolute" in loss else away**2).mean()
    assert history.best.dev_loss == pytest.approx(mean, rel=1e-5)


def test_two_logits_for_two_classes_are_a_softmax():
    data = table("binary")
    assert data.task == "binary"
    model = dense(6, 2, hidden=[8], seed=0)
    history = fit(model, data, preprocessing="auto", epochs=20)
    assert history[-1].train_accuracy > 0.9
    assert predict(model, X).shape == (200,)


WRONG = {
    "loss": (
        {"loss": "mean_squared_error"},
        ValueError,
        "does not suit task 'binary', which takes binary_cross_entropy",
    ),
    "outputs": ({"model": dense(6, 3, hidden=[])}, None, ""),
    "preprocessing": ({"preprocessing": "scale"}, ValueError, 'preprocessing must be "auto"'),
    "weights": ({"example_weight": [1.0]}, ValueError, r"example_weight must be \(200,\)"),
    "negative weights": ({"example_weight": -np.ones(200)}, ValueError, "finite and at least 0"),
    "dev": ({"dev": 3}, TypeError, "dev must be a Dataset"),
    "accumulate": ({"accumulate": 0}, ValueError, "accumulate must be at least 1; got 0"),
    "evaluate_every": ({"evaluate_every": 0}, ValueError, "evaluate_every must be at least 1; got 0"),
    "prefetch": ({"prefetch": -1}, ValueError, "prefetch must be at least 0; got -1"),
    "checkpoint_every": ({"checkpoint_every": "often"}, ValueError, "an interval is a number of steps"),
}


@pytest.mark.parametrize(("options", "kind", "message"), WRONG.values(), ids=WRONG)
def test_bad_arguments(options, kind, message):
    model = options.pop("model", None) or dense(6, 1, hidden=[])
    if kind is None:
        fit(model, table("binary"), preprocessing="auto", epochs=1)
        return
    with pytest.raises(kind, match=message):
        fit(model, table("binary"), **options)


def test_outputs_that_do_not_suit_the_task():
    for kind, outputs, need in (("multi-label", 2, 3), ("regression", 2, 1), ("several targets", 1, 3)):
        with pytest.raises(ValueError, match=f"a model of {outputs} outputs: a .* task of this data set needs {need}"):
            fit(dense(6, outputs, hidden=[]), table(kind))


@pytest.mark.parametrize("capture", ["never", "auto"])
def test_accumulation_is_the_mean_over_the_examples_of_its_batches(capture):
    """To the bit: gradients of the batches, each times its share, added in order; the last update has fewer."""
    data = Dataset(X[:190].astype(np.float32) / 100, TARGETS["multi-class"][:190])
    model, by_hand = dense(6, 3, hidden=[8], seed=0), dense(6, 3, hidden=[8], seed=0)
    fit(model, data, epochs=2, accumulate=3, capture=capture, optimizer=optim.SGD(lr=0.5), keep="last")
    optimizer = optim.SGD(by_hand, lr=0.5)
    for epoch in range(2):
        batches = list(tg.data.loader(data, batch_size=20, epoch=epoch, prefetch=0))
        for start in range(0, len(batches), 3):
            group = batches[start : start + 3]
            n = sum(len(y) for _, y in group)
            optimizer.zero_grad()
            for x, y in group:
                loss = F.softmax_cross_entropy(by_hand(x), y)
                loss.backward(np.asarray(len(y) / n, np.float32))
            optimizer.step()
    assert same(model, by_hand)


def test_accumulation_agrees_with_larger_batches():
    data = Dataset(X.astype(np.float64) / 100, TARGETS["multi-class"])
    one, other = (dense(6, 3, hidden=[8], seed=0).to(dtype=np.float64) for _ in range(2))
    fit(one, data, epochs=3, batch_size=10, accumulate=4, optimizer=optim.SGD(lr=0.5), keep="last")
    fit(other, data, epochs=3, batch_size=40, optimizer=optim.SGD(lr=0.5), keep="last")
    for name, value in one.state_dict().items():
        np.testing.assert_allclose(other.state_dict()[name], value, rtol=1e-11, atol=1e-13)


def test_evaluation_every_n_updates():
    data = table("multi-class")
    steps = []
    history = fit(dense(6, 3, hidden=[]), data, epochs=3, evaluate_every=7, callbacks=[lambda r: steps.append(r.step)])
    assert steps == [7, 14, 21, 28, 30]
    assert [record.epoch for record in history] == [1, 2, 3, 3, 3]


def test_early_stopping_restores_the_best():
    class Spoil(Callback):
        def on_evaluation(self, run, record):
            run.optimizer.lr = 5.0 if record.epoch >= 5 else run.optimizer.lr

    data = table("multi-class").split(seed=0)
    model = dense(6, 3, hidden=[16], seed=0)
    history = fit(model, data, preprocessing="auto", epochs=99, callbacks=[Spoil(), EarlyStopping(3)])
    best = history.records.index(history.best)
    assert len(history) == best + 4 < 99
    assert evaluate(model, data.dev).loss == history.best.dev_loss
    with pytest.raises(ValueError, match="patience is a number of evaluations from 1; got 0"):
        EarlyStopping(0)


@pytest.mark.parametrize("depth", [0, 2])
def test_streamed_data_give_the_bits_of_resident_ones(tmp_path, depth):
    """Memory-mapped rows are read batch by batch; `prefetch` asks for the same of arrays."""
    np.save(tmp_path / "x.npy", X)
    mapped = Dataset(np.load(tmp_path / "x.npy", mmap_mode="r"), TARGETS["multi-class"]).split(seed=0)
    plain = table("multi-class").split(seed=0)
    weight = np.linspace(0.5, 2.0, len(plain.train))
    models = [dense(6, 3, hidden=[16], batch_norm=True, dropout=0.2, seed=0) for _ in range(3)]
    options = {"preprocessing": "auto", "epochs": 3, "example_weight": weight}
    histories = [
        fit(models[0], plain, **options),
        fit(models[1], plain, prefetch=depth, **options),
        fit(models[2], mapped, resident=False, **options),
    ]
    assert histories[2].data == "streamed (asked for)"
    assert same(models[0], models[1])
    assert same(models[0], models[2])
    assert list(histories[0]) == list(histories[1]) == list(histories[2])


def test_batches_of_the_user_s_own():
    x, y = X.astype(np.float32) / 100, TARGETS["multi-class"]
    batches = [(x[i : i + 20], y[i : i + 20]) for i in range(0, 200, 20)]
    of_list, of_function = dense(6, 3, hidden=[8], seed=0), dense(6, 3, hidden=[8], seed=0)
    history = fit(of_list, batches, epochs=3, dev=Dataset(x, y))
    fit(of_function, lambda epoch: iter(batches), epochs=3, dev=Dataset(x, y))
    assert same(of_list, of_function)
    assert history[-1].dev.accuracy == history[-1].train.accuracy
    with pytest.raises(TypeError, match="a generator serves one pass alone"):
        fit(dense(6, 3, hidden=[]), iter(batches))
    with pytest.raises(ValueError, match="batches bring the weights of their examples themselves"):
        fit(dense(6, 3, hidden=[]), batches, example_weight=np.ones(200))


def test_weights_of_zero_leave_examples_out():
    """A class of weight 0 is never predicted; an example of weight 0 is as if it were not there."""
    data = table("multi-class")
    model = dense(6, 3, hidden=[16], seed=0)
    fit(model, data, preprocessing="auto", class_weight=[1.0, 1.0, 0.0])
    assert 2 not in predict(model, X)
    spoilt = TARGETS["multi-class"].copy()
    spoilt[::4] = (spoilt[::4] + 1) % 3
    weight = np.ones(200)
    weight[::4] = 0
    model = dense(6, 3, hidden=[16], seed=0)
    fit(model, Dataset(X, spoilt), preprocessing="auto", example_weight=weight)
    clean = np.arange(200) % 4 != 0
    assert (predict(model, X)[clean] == TARGETS["multi-class"][clean]).mean() > 0.9


def test_text_needs_a_preprocessing():
    text = tg.data.Table(("a", "b"), (np.arange(6.0), tg.data.Text.of(list("xyxyxy"))))
    with pytest.raises(ValueError, match=r'the data hold text: let fit\(preprocessing="auto"\) encode it'):
        fit(nn.Sequential(nn.Linear(2, 2)), Dataset(text, np.arange(6) % 2, task="multi-class"))


def test_what_an_evaluation_has_not_is_told():
    measured = evaluate(dense(6, 3, hidden=[]), Dataset(X, TARGETS["multi-class"]))
    with pytest.raises(AttributeError, match="this evaluation has no r2; it has loss, accuracy"):
        measured.r2  # noqa: B018
    model = dense(6, 1, hidden=[])
    fit(model, table("regression"), preprocessing="auto", epochs=1)
    with pytest.raises(ValueError, match="a regression has no probabilities"):
        predict_probabilities(model, X)
