"""`fit`: it learns, reproducibly, and what it keeps and says."""

import re
import threading

import numpy as np
import pytest

from twingrad import nn, optim
from twingrad.train import Callback, evaluate

from fitting import assert_same, fit


def test_it_learns_and_tells(data, make_model):
    model = make_model()
    history = fit(model, data, epochs=8)
    assert [record.epoch for record in history] == list(range(1, 9))
    assert history.best.dev_accuracy > 0.85
    assert history[-1].train_loss < history[0].train_loss / 3
    assert history.device == "cpu"
    assert history.seconds >= sum(record.seconds for record in history) > 0
    measured = evaluate(model, data.dev)
    assert (measured.loss, measured.accuracy) == (history.best.dev_loss, history.best.dev_accuracy)


def test_the_same_seed_gives_the_same_bits_and_another_does_not(data, make_model):
    first, second, third = make_model(), make_model(), make_model()
    for model, seed in ((first, 7), (second, 7), (third, 8)):
        fit(model, data, seed=seed, keep="last")
    assert_same(first.state_dict(), second.state_dict())
    assert not np.array_equal(first.state_dict()["0.weight"], third.state_dict()["0.weight"])


def test_without_a_dev_part_training_accuracy_decides(data, make_model):
    history = fit(make_model(), data.train)
    assert history[0].dev_loss is None
    assert history.best.train_accuracy == max(record.train_accuracy for record in history)


def test_no_epochs_leave_the_model_alone(data, make_model):
    model = make_model()
    before = model.state_dict()
    history = fit(model, data, epochs=0)
    assert (len(history), history.best) == (0, None)
    assert_same(before, model.state_dict())


@pytest.mark.parametrize("training", [True, False])
def test_the_model_keeps_its_mode(data, make_model, training):
    model = make_model().train(training)
    model[1].eval()
    modes = [module.training for _, module in model.modules()]
    fit(model, data, epochs=1)
    assert [module.training for _, module in model.modules()] == modes
    with pytest.raises(ZeroDivisionError):
        fit(model, data, epochs=1, callbacks=[lambda record: 1 / 0])
    assert [module.training for _, module in model.modules()] == modes


def test_data_take_the_dtype_of_the_model(data, make_model):
    model = make_model().to(dtype=np.float64)
    fit(model, data, epochs=1)
    assert model.state_dict()["0.weight"].dtype == np.float64


def test_a_last_batch_of_one_joins_the_one_before_under_batch_norm(data, make_model):
    seen = []

    class Count(Callback):
        def on_start(self, run):
            seen.append(run.batches)

    train = data.train.take(slice(0, 33))
    with pytest.warns(UserWarning, match="33 examples in mini-batches of 16 leave one over.* of 17"):
        fit(make_model(), train, batch_size=16, epochs=1, callbacks=[Count()])
    fit(make_model(batch_norm=False), train, batch_size=16, epochs=1, callbacks=[Count()])
    assert seen == [2, 3]


def test_an_optimizer_goes_on_where_it_stopped(data, make_model):
    whole, halves = make_model(), make_model()
    fit(whole, data.train, optimizer=optim.SGD(lr=0.1), epochs=1, keep="last")
    optimizer = optim.SGD(lr=0.1)
    fit(halves, data.train, optimizer=optimizer, epochs=1, keep="last")
    assert_same(whole.state_dict(), halves.state_dict())
    fit(halves, data.train, optimizer=optimizer, epochs=1, keep="last")
    assert not np.array_equal(whole.state_dict()["0.weight"], halves.state_dict()["0.weight"])


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_optimizers_by_name(data, make_model, name):
    history = fit(make_model(), data, optimizer=name)
    assert history[-1].train_loss < 2.5


def test_a_loss_of_the_user_s_own(data, make_model):
    def mean_squared(logits, target):
        return ((logits - np.eye(10, dtype=np.float32)[target]) ** 2).mean()

    history = fit(make_model(), data, loss=mean_squared, epochs=15, capture="never")
    assert history[-1].train_accuracy > 0.8


def test_any_integers_are_counts(data, make_model):
    numbers = {"epochs": np.int64(2), "batch_size": np.int32(16), "seed": np.uint8(3), "accumulate": np.int16(1)}
    plain, other = make_model(), make_model()
    fit(plain, data, keep="last", **{name: int(value) for name, value in numbers.items()})
    assert len(fit(other, data, keep="last", evaluate_every=np.int64(9), **numbers)) == 2
    assert_same(plain.state_dict(), other.state_dict())


def test_fit_works_in_a_thread(data, make_model):
    found = []
    thread = threading.Thread(target=lambda: found.append(fit(make_model(), data, epochs=1)))
    thread.start()
    thread.join()
    assert len(found[0]) == 1


def test_batch_size_one_is_fine_without_batch_norm(data):
    history = fit(nn.Sequential(nn.Linear(64, 10), seed=0), data.train.take(slice(0, 20)), batch_size=1, epochs=1)
    assert len(history) == 1


def test_a_history_prints_as_one_line(data):
    history = fit(nn.Sequential(nn.Linear(64, 10), seed=0), data, epochs=3, device="cpu")
    assert re.fullmatch(r"History\(3 records; best epoch \d, dev accuracy \d+\.\d\d%; cpu, .*\d s\)", repr(history))


def test_a_model_of_float16_learns_as_one_of_float32(data):
    def trained(dtype):
        model = nn.Sequential(nn.Linear(64, 10, dtype=dtype), seed=0)
        return fit(model, data, optimizer=optim.SGD(lr=0.1), device="cpu")

    half, single = trained(np.float16), trained(np.float32)
    assert half.best.train.loss == pytest.approx(single.best.train.loss, rel=0.01)
    assert "float16" in half.data
