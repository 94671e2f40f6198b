"""The learning-rate range test."""

import numpy as np
import pytest

import twingrad as tg
from twingrad import nn, optim
from twingrad.data import batches
from twingrad.optim import EWA
from twingrad.train import RangeTest, lr_range_test


def test_it_finds_a_rate_that_trains_and_leaves_all_as_it_was(data, make_model):
    model, optimizer = make_model(), optim.Adam(beta1=0.8)
    model.train(False)
    before, counters = model.state_dict(), [counter.value for counter in model.counters().values()]
    found = lr_range_test(model, data, optimizer=optimizer, low=1e-5, steps=120, batch_size=32)
    assert {name: array.tobytes() for name, array in model.state_dict().items()} == {
        name: array.tobytes() for name, array in before.items()
    }
    assert [counter.value for counter in model.counters().values()] == counters
    assert not model.training
    assert optimizer.steps_taken == 0
    losses = {}
    for factor in (1e-2, 1.0):
        rate = found.suggestion * factor
        losses[factor] = tg.fit(make_model(), data, optimizer=optim.Adam(lr=rate), epochs=8).best.dev_loss
    assert losses[1.0] < 0.3 * losses[1e-2]


def test_rates_and_smoothing(data, make_model):
    found = lr_range_test(make_model(), data, low=1e-4, high=1e-2, steps=11)
    assert found.rates == pytest.approx(np.geomspace(1e-4, 1e-2, 11))
    assert found.smooth == EWA(0.9).over(found.losses)
    assert found.suggestion == pytest.approx(found.rates[int(np.argmin(found.smooth))] / 10)


@pytest.mark.oracle
def test_the_losses_are_pytorchs(data):
    torch = pytest.importorskip("torch", reason="PyTorch (extra `oracle`) is not installed")
    ours = nn.Sequential(nn.Linear(64, 10, dtype=np.float64), seed=3)
    model = torch.nn.Linear(64, 10, dtype=torch.float64)
    for parameter, value in zip(model.parameters(), ours.state_dict().values(), strict=True):
        parameter.data[...] = torch.tensor(value)
    optimizer, expected, rates = torch.optim.SGD(model.parameters(), lr=1.0), [], np.geomspace(1e-4, 0.1, 12)
    order = [index for epoch in range(3) for index in batches(144, 32, seed=5, epoch=epoch)]  # 4 of 32, one of 16
    for rate, index in zip(rates, order, strict=False):
        optimizer.param_groups[0]["lr"] = rate
        x, y = torch.tensor(data.train.x[index], dtype=torch.float64), torch.tensor(data.train.y[index])
        loss = torch.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        expected.append(loss.item())
    options = {"low": 1e-4, "high": 0.1, "steps": 12, "batch_size": 32, "seed": 5}
    found = lr_range_test(ours, data, optimizer=optim.SGD(), **options)
    assert found.losses == pytest.approx(expected[: len(found.losses)], rel=1e-9)
    assert len(found.losses) >= 10


def test_it_ends_where_the_loss_explodes(data, make_model):
    found = lr_range_test(make_model(batch_norm=False), data, optimizer="sgd", low=1e-2, high=1e6, steps=100)
    assert len(found.rates) < 100
    assert max(found.smooth) <= 4 * min(found.smooth) + 1e-9 or found.smooth[0] == max(found.smooth)


def test_picture():
    pytest.importorskip("matplotlib", reason="matplotlib (extra `plot`) is not installed")
    found = RangeTest([0.001, 0.01, 0.1], [2.0, 1.0, 3.0], [2.0, 1.5, 2.0])
    assert found.png().startswith(b"\x89PNG")
    assert repr(found) == "RangeTest(3 steps to lr 0.1; suggestion 0.001)"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"low": 0.0}, r"0 < low < high is needed, both finite; got low=0\.0 and high=10\.0"),
        ({"low": 1.0, "high": 0.1}, r"got low=1\.0 and high=0\.1"),
        ({"high": float("inf")}, "got low=1e-06 and high=inf"),
        ({"steps": 1}, "steps must be at least 2; got 1"),
        ({"batch_size": 0}, "batch_size must be at least 1; got 0"),
    ],
)
def test_bad_arguments(data, make_model, options, message):
    with pytest.raises(ValueError, match=message):
        lr_range_test(make_model(), data, **options)
