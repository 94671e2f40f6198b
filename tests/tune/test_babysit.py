"""One model babysat: the bits of `fit` where nothing is changed, and what a change does."""

import numpy as np
import pytest

import twingrad as tg
from twingrad import nn, optim
from twingrad.train import Diverged
from twingrad.tune import Babysit


@pytest.fixture(scope="module")
def data():
    """240 digits in 144, 48 and 48."""
    return tg.data.load("digits").take(slice(0, 240)).split(seed=0)


def make(dropout=0.2):
    middle = (nn.BatchNorm(32), nn.ReLU(), nn.Dropout(dropout))
    return nn.Sequential(nn.Linear(64, 32), *middle, nn.Linear(32, 10), seed=0)


def same(a, b):
    return {name: array.tobytes() for name, array in a.items()} == {name: array.tobytes() for name, array in b.items()}


def test_pausing_changes_no_bit(data):
    whole, parts = make(), make()
    history = tg.fit(whole, data, optimizer=optim.Adam(lr=0.01), epochs=6, batch_size=32, keep="last")
    run = Babysit(parts, data, optimizer=optim.Adam(lr=0.01), batch_size=32)
    for epochs in (1, 3, 2):
        found = run.go(epochs)
    assert same(whole.state_dict(), parts.state_dict())
    assert found.to_jsonl() == history.to_jsonl()
    assert found.step == history.step


def test_a_change_is_what_a_new_run_from_there_would_do(data):
    """The learning rate and the batch size change, the moments stay: by hand, with two optimizers."""
    plain = {"data": data, "optimizer": optim.Adam(lr=0.03), "batch_size": 32}
    run = Babysit(nn.Sequential(nn.Linear(64, 10, dtype=np.float64), seed=0), **plain)
    run.go(2)
    run.set(lr=0.001, beta1=0.8, batch_size=144)
    run.go(1)

    model = nn.Sequential(nn.Linear(64, 10, dtype=np.float64), seed=0)
    first = optim.Adam(lr=0.03)
    tg.fit(model, data, optimizer=first, epochs=2, batch_size=32, keep="last")
    second = optim.Adam(model, lr=0.001, beta1=0.8)
    state = first.state_dict()
    state["hyperparameters"] |= {"lr": 0.001, "beta1": 0.8}
    second.load_state_dict(state)
    tg.fit(model, data, optimizer=second, epochs=1, batch_size=144, keep="last")  # one batch: its order is the sum's
    for name, found in model.state_dict().items():
        assert np.allclose(run.model.state_dict()[name], found, rtol=1e-9, atol=1e-9), name
    assert run.log[1] == "after epoch 2: lr 0.03 -> 0.001, beta1 0.9 -> 0.8, batch_size 32 -> 144"
    assert run.optimizer.steps_taken == 11


def test_going_back(data):
    run = Babysit(make(), data, optimizer=optim.Adam(lr=0.01), batch_size=32)
    run.go(2)
    there, counters = run.model.state_dict(), [c.value for c in run.model.counters().values()]
    first = run.go(2).to_jsonl()
    after = run.model.state_dict()
    run.back()
    assert same(run.model.state_dict(), there)
    assert [c.value for c in run.model.counters().values()] == counters
    assert len(run.history) == 2
    assert run.go(2).to_jsonl() == first
    assert same(run.model.state_dict(), after)
    run.back()
    run.back()
    assert len(run.history) == 0
    with pytest.raises(ValueError, match="nothing to go back to"):
        run.back()


def test_back_over_a_change_of_the_batch_size(data):
    run = Babysit(make(), data, batch_size=32)
    run.go(1)
    run.set(batch_size=16)
    run.go(1)
    assert run.history[-1].step == 5 + 9
    run.back()
    run.go(1)
    assert (run.batch_size, run.history[-1].step) == (16, 5 + 9)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_run_that_diverges_can_go_back(data):
    run = Babysit(nn.Sequential(nn.Linear(64, 10), seed=0), data, optimizer=optim.SGD(lr=0.1))
    run.go(1)
    good = run.model.state_dict()
    run.set(lr=1e38)
    with pytest.raises(Diverged, match=r"training diverged: .* back\(\) goes back"):
        run.go(3)
    run.back()
    run.set(lr=0.1)
    assert same(run.model.state_dict(), good)
    assert run.go(2)[-1].train_loss < run.history[0].train_loss


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lr": -1.0}, "lr must be a finite number of at least 0, got -1.0"),
        ({"beta1": 1}, r"beta1 must be in \[0, 1\), got 1"),
        ({"lr": 0.5, "beta2": 1.0}, r"beta2 must be in \[0, 1\), got 1.0"),
        ({"momentum": 0.9}, "no hyperparameter 'momentum'; there are batch_size, lr, beta1"),
        ({"batch_size": 0}, "batch_size must be at least 1; got 0"),
        ({"batch_size": 145, "lr": 0.5}, "batch_size must not exceed the 144 training examples; got 145"),
        ({"ema": 0.9, "lr": 0.5}, "the state is of a Adam with the moments m, v, average, this one has m, v"),
    ],
)
def test_a_bad_change_changes_nothing(data, changes, message):
    run = Babysit(make(), data, optimizer=optim.Adam(lr=0.01))
    with pytest.raises(ValueError, match=message):
        run.set(**changes)
    assert (run.optimizer.lr, run.batch_size, run.log) == (0.01, 64, [])


def test_an_average_is_refused(data):
    with pytest.raises(ValueError, match="without ema"):
        Babysit(make(), data, optimizer=optim.Adam(ema=0.9))


def test_a_model_that_is_none(data):
    with pytest.raises(TypeError, match=r"Babysit: model must be an nn\.Module, such as .*; got NoneType"):
        Babysit(None, data)
