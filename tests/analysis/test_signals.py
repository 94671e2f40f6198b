"""`signal_report`: the course's networks are named, its numbers are NumPy's and PyTorch's."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import twingrad as tg
from twingrad import functional as F
from twingrad import nn
from twingrad.analysis import signal_report
from twingrad.nn import init
from twingrad.random import normal

from libraries import LIBRARIES


def times_identity(factor):
    return lambda shape, **key: factor * np.eye(*shape)


def deep(draw, layers=10, width=2, activation=None, outputs=None, dtype=np.float32):
    found = []
    for _ in range(layers - 1):
        found += [nn.Linear(width, width, bias=False, init=draw, dtype=dtype)] + ([activation()] if activation else [])
    return nn.Sequential(*found, nn.Linear(width, outputs or width, bias=False, init=draw, dtype=dtype), seed=1)


X = normal((40, 2), seed=1, stream=0)


@pytest.mark.parametrize("factor", [1.5, 0.5])
def test_the_networks_of_the_course_are_named(factor):
    """1.5^L and 0.5^L: 57.665 and 0.0009765625 after ten layers."""
    report = signal_report(deep(times_identity(factor)), X)
    assert report.activation_growth == pytest.approx(factor, rel=1e-6)
    assert report.gradient_growth == pytest.approx(factor, rel=1e-6)
    size = np.sqrt((X.astype(np.float32) ** 2).mean())
    assert report.layers[-1].rms / size == pytest.approx({1.5: 57.665039, 0.5: 0.0009765625}[factor], rel=1e-6)
    assert report.layers[-2].rms / size == pytest.approx({1.5: 38.443359, 0.5: 0.001953125}[factor], rel=1e-6)
    told = (report.exploding, report.vanishing)
    assert (told if factor > 1 else told[::-1]) == (tuple(p for p in "012345678" if factor < 1 or p not in "345"), ())
    assert ("activations explode" if factor > 1 else "gradients vanish") in str(report)
    assert not report.ok


def test_matrices_that_are_filled_grow_by_their_width():
    """2 x 2 filled with 1.5: 3^10 = 59049; filled with 0.5 the factor is 1, and nothing vanishes."""
    ones = np.ones((3, 2))
    report = signal_report(deep(init.constant(1.5)), ones)
    assert report.layers[-1].rms == pytest.approx(59049)
    assert report.exploding
    report = signal_report(deep(init.constant(0.5)), ones)
    assert report.layers[-1].rms == pytest.approx(1.0)
    assert (report.vanishing, report.exploding) == ((), ())
    assert report.named("alike")  # constant weights never break the symmetry


@pytest.mark.parametrize(("factor", "told"), [(1.5, "exploding"), (0.5, "vanishing")])
def test_152_layers(factor, told):
    """5.83e26 and, in float32, exactly 0."""
    report = signal_report(deep(times_identity(factor), layers=152), np.ones((2, 2)))
    assert report.layers[-1].rms == pytest.approx(5.83e26 if factor > 1 else 0.0, rel=1e-3)
    assert "150" in getattr(report, told)
    assert report.layers[3].rms == pytest.approx(factor**4)
    assert signal_report(deep(times_identity(1e30)), np.ones((2, 2))).named("not finite")


def test_he_keeps_30_layers_of_relu_alive():
    x = normal((200, 64), seed=2, stream=0)
    report = signal_report(deep(init.he_normal, layers=30, width=64, activation=nn.ReLU), x)
    assert (report.vanishing, report.exploding) == ((), ())
    assert 0.9 < report.activation_growth < 1.1
    assert 0.9 < report.gradient_growth < 1.1
    small, large = (deep(init.normal(std), layers=30, width=64, activation=nn.ReLU) for std in (0.01, 1.0))
    assert len(signal_report(small, x).named("activations vanish")) > 25
    assert len(signal_report(large, x).named("activations explode")) > 25


def test_widths_do_not_count_as_vanishing():
    sizes = [20, 512, 256, 32, 8, 4]
    layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
    report = signal_report(nn.Sequential(*layers, nn.Linear(4, 3)), normal((100, 20), seed=1, stream=0))
    assert (report.vanishing, report.exploding) == ((), ())


def test_zero_weights_of_a_tanh_network():
    """Loss ln 3, dW1 = dW2 = 0: what nothing tells apart, and where no gradient arrives."""
    model = nn.Sequential(nn.Linear(4, 5, init=init.zeros), nn.Tanh(), nn.Linear(5, 3, init=init.zeros))
    x, y = normal((7, 4), seed=1, stream=0).astype(np.float32), np.asarray([0, 1, 2, 0, 0, 1, 0])
    report = signal_report(model, x, y)
    assert [layer.weight_gradient for layer in report.layers] == [0.0, None, 0.0]
    assert report.named("alike") == report.named("no gradient") == ("1",)
    assert report.layers[2].gradient_deviation > 0
    loss = F.softmax_cross_entropy(model(x), y)
    loss.backward()
    assert float(loss) == pytest.approx(1.0986123, abs=5e-8)
    nonzero = [path for path, p in model.named_parameters().items() if p.grad.any()]
    assert nonzero == ["2.bias"]


def test_dead_and_saturated_units_are_named():
    model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 3), nn.Sigmoid(), nn.Linear(3, 2), nn.Tanh(), seed=0)
    model[0].bias = np.asarray([0, -100, 0, -100])
    model[2].bias = np.asarray([0, 0, 9])
    model[4].bias = np.asarray([-9, 9])
    report = signal_report(model, X)
    assert report.dead == {"1": (1, 3)}
    assert report.saturated == {"3": (2,), "5": (0, 1)}
    assert report.named("dead") == ("1",)
    assert "1: dead: 2 of 4 units" in str(report).splitlines()
    assert "5: saturated: all 2 units" in str(report).splitlines()


def test_a_saturated_unit_passes_on_less_than_a_twentieth_of_the_gradient():
    """sigmoid and tanh at z and z/2: the same share of their largest derivatives, 4 s (1 - s) and 1 - t^2."""
    for z, told in ((4.3, False), (4.4, True)):
        s, t = F.sigmoid(np.asarray([z])), np.tanh(z / 2)
        assert float(4 * s[0] * (1 - s[0])) == pytest.approx(1 - t * t)
        for layer, at in ((nn.Sigmoid(), z), (nn.Tanh(), z / 2)):
            model = nn.Sequential(nn.Linear(1, 1, init=init.zeros), layer)
            model[0].bias = np.asarray([at])
            assert bool(signal_report(model, np.ones((3, 1))).saturated) is told


@pytest.mark.oracle
def test_numbers_are_pytorchs():
    torch = pytest.importorskip("torch", reason="PyTorch (extra `oracle`) is not installed")
    ours = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm(5), nn.ReLU(), nn.Dropout(0.5), nn.Linear(5, 3), seed=4)
    theirs = [
        torch.nn.Linear(6, 5),
        torch.nn.BatchNorm1d(5),
        torch.nn.ReLU(),
        torch.nn.Identity(),
        torch.nn.Linear(5, 3),
    ]
    torch.nn.Sequential(*theirs).load_state_dict({k: torch.from_numpy(v) for k, v in ours.state_dict().items()})
    x, y = normal((30, 6), seed=5, stream=0).astype(np.float32), np.arange(30) % 3
    values, seen = torch.from_numpy(x), []
    for layer in theirs:
        values = layer(values)
        values.retain_grad()
        seen.append(values)
    torch.nn.functional.cross_entropy(values, torch.from_numpy(y)).backward()
    for found, wanted in zip(signal_report(ours, x, y).layers, seen, strict=True):
        out, grad = wanted.detach().double().numpy(), wanted.grad.double().numpy()
        assert (found.mean, found.deviation) == pytest.approx((out.mean(), out.std()), rel=1e-4, abs=1e-6), found.path
        assert (found.gradient_mean, found.gradient_deviation) == pytest.approx(
            (grad.mean(), grad.std()), rel=1e-4, abs=1e-7
        )
        norm = np.sqrt((grad**2).sum(axis=1).mean())
        assert found.gradient_norm == pytest.approx(norm, rel=1e-4)
    assert [layer.hidden for layer in signal_report(ours, x, y).layers] == [False, False, True, False, False]


def test_the_model_stays_as_it_is(data_of_digits):
    model = nn.Sequential(nn.Linear(64, 32), nn.BatchNorm(32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 10)).eval()
    tg.fit(model, data_of_digits, epochs=1, preprocessing="auto", device="cpu")
    before, counters = model.state_dict(), {path: c.value for path, c in model.counters().items()}
    model.flat().zero_grad()
    report = signal_report(model, data_of_digits)
    assert 0.8 < report.layers[1].deviation < 1.2  # the batch's statistics, of what preprocessing made of pixels
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(before[name], value)
    assert {path: c.value for path, c in model.counters().items()} == counters
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not model.training
    assert "forward" not in vars(model[0])


@pytest.fixture
def data_of_digits():
    return tg.data.load("digits").take(slice(0, 100))


class Net(nn.Module):
    """A module of another make, one of whose layers is called twice."""

    def __init__(self):
        self.first, self.again = nn.Linear(2, 8), nn.Linear(8, 8)

    def forward(self, x):
        return self.again(F.relu(self.again(F.relu(self.first(x)))))


@pytest.mark.parametrize("targets", ["classes", "labels", "numbers", "none"])
def test_any_module_and_any_task(targets):
    y = {"classes": np.arange(40) % 8, "labels": np.ones((40, 8), int), "numbers": np.ones((40, 8)), "none": None}[
        targets
    ]
    report = signal_report(Net(), X, y)
    assert [layer.path for layer in report.layers] == ["first", "again", "again"]
    assert [layer.hidden for layer in report.layers] == [True, True, False]
    assert all(layer.gradient_norm > 0 for layer in report.layers)


@pytest.mark.parametrize("library", LIBRARIES[2:], ids=repr)
def test_models_of_other_libraries(library):
    model = deep(times_identity(1.5)).to(like=library.asarray(np.zeros(1, np.float32), "float32"))
    assert signal_report(model, X.astype(np.float32)).activation_growth == pytest.approx(1.5, rel=1e-6)


BAD = {
    "no examples": (np.zeros((0, 2)), {}, "there are no examples"),
    "limit": (X, {"limit": 1.0}, "limit is a ratio above 1; got 1.0"),
    "loss": (X, {"loss": "hinge"}, "unknown loss 'hinge'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments(case):
    x, options, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        signal_report(deep(times_identity(1.0)), x, **options)
