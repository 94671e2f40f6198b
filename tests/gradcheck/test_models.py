"""Models: losses of every task, dropout, batch norm, weight decay, sampling, and that nothing changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import array_api_strict
import numpy as np
import pytest
from gradient_errors import doubled, in_backward, last_element

import twingrad as tg
from twingrad import functional as F
from twingrad import nn, optim
from twingrad.fusable import registry

from kernels_here import no_kernels
from networks import OUT, assert_same_bits, batch, everything, network, train

RNG = np.random.default_rng(3)
LABELS = RNG.integers(0, 2, (16, OUT)).astype(np.float32)
LABELS[0, 0] = np.nan
NUMBERS = RNG.normal(size=(16, OUT)).astype(np.float32)

LOSSES: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "classes": (F.softmax_cross_entropy, (batch()[1],)),
    "weighted classes": (F.softmax_cross_entropy, (batch()[1], RNG.random(OUT).astype(np.float32))),
    "soft targets": (F.softmax_cross_entropy, (RNG.dirichlet(np.ones(OUT), 16).astype(np.float32),)),
    "labels, one missing": (F.binary_cross_entropy, (LABELS,)),
    "regression": (F.mean_squared_error, (NUMBERS,)),
    "absolute regression": (F.mean_absolute_error, (NUMBERS,)),
}


@pytest.mark.parametrize("mode", ["auto", "never"])
@pytest.mark.parametrize("steps", [0, 20], ids=["at random", "trained"])
@pytest.mark.parametrize("task", LOSSES)
def test_losses_of_every_task(task: str, steps: int, mode: str) -> None:
    """With dropout and the batch's statistics; fused kernels and reference; the first bias' gradient is 0."""
    model, (loss, targets) = network(), LOSSES[task]
    train(model, optim.Adam(model, lr=0.05), steps)
    with tg.fused(mode):
        report = tg.check_grads(model, loss, batch()[0], *targets)
    assert report.ok, report
    assert report.mode == "train"
    assert [each.name for each in report.parameters] == list(model.named_parameters())
    off = [each.distance for each in report.parameters if each.name != "0.bias"]
    assert max(off) < 1e-7
    assert report.parameters[1].rounding > 0.1


def test_a_loss_by_name() -> None:
    by_name, expected = (
        tg.check_grads(network(), loss, *batch()) for loss in ("cross_entropy", F.softmax_cross_entropy)
    )
    assert by_name == expected


def test_nothing_to_learn_in_a_part() -> None:
    """An argument without elements is right."""
    report = tg.check_grads(lambda w, v: (w * w).sum() + v.sum(), np.ones(2), np.ones((0, 3)))
    assert report.ok
    assert [each.coverage for each in report.parameters] == ["2 of 2", "0 of 0"]


def test_evaluation_mode() -> None:
    model = network()
    train(model, optim.Adam(model, lr=0.05))
    report = tg.check_grads(model.eval(), F.softmax_cross_entropy, *batch())
    assert report.ok
    assert report.mode == "eval"
    assert report.parameters[1].distance < 1e-7  # without the batch's mean the first bias counts


@pytest.mark.parametrize("used", [False, True])
def test_the_model_stays_as_it_is(used: bool) -> None:
    model, twin = network(), network()
    optimizers = [optim.Adam(each, lr=0.05) for each in (model, twin)]
    if used:
        for each, optimizer in zip((model, twin), optimizers, strict=True):
            train(each, optimizer, 3)
    tg.check_grads(model, F.softmax_cross_entropy, *batch(), weight_decay=0.1)
    assert_same_bits(everything(model, optimizers[0]), everything(twin, optimizers[1]))
    assert model.flat().theta.dtype == np.float32
    for each, optimizer in zip((model, twin), optimizers, strict=True):
        train(each, optimizer, 3, first=3)  # the same masks, too
    assert_same_bits(everything(model, optimizers[0]), everything(twin, optimizers[1]))


def test_a_model_that_no_one_used_still_draws_by_its_later_place() -> None:
    part, twin = nn.Linear(3, 2), nn.Linear(3, 2)
    tg.check_grads(part, F.softmax_cross_entropy, np.ones((2, 3)), np.asarray([0, 1]))
    whole, expected = nn.Sequential(nn.ReLU(), part, seed=4), nn.Sequential(nn.ReLU(), twin, seed=4)
    assert_same_bits(everything(whole), everything(expected))


def test_weight_decay_is_the_optimizers() -> None:
    model = network()
    report = tg.check_grads(model, F.softmax_cross_entropy, *batch(), weight_decay=0.3)
    assert report.ok, report
    weights = [p for p in model.parameters() if p.decay]
    squares = sum(float((p.data.astype(np.float64) ** 2).sum()) for p in weights)
    plain = tg.check_grads(model, F.softmax_cross_entropy, *batch())
    assert report.cost == pytest.approx(plain.cost + 0.15 * squares, rel=1e-12)


def test_weight_decay_forgotten_by_the_optimizer_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forgetful(optim.SGD):
        def __init__(self, model: Any, *, weight_decay: float, **options: Any) -> None:
            super().__init__(model, **options)

    monkeypatch.setattr(optim, "SGD", Forgetful)
    report = tg.check_grads(network(), F.softmax_cross_entropy, *batch(), weight_decay=0.3)
    assert report.wrong == ("0.weight", "4.weight")
    assert repr(report).count("0.3 times the parameter is missing") == 2


def test_a_cost_of_the_model() -> None:
    x, y = batch(dtype=np.float64)

    def cost(model: nn.Module) -> Any:
        return F.softmax_cross_entropy(model(x), y) + 0.1 * sum((p * p).sum() for p in model.parameters())

    report = tg.check_grads(network(), cost)
    assert report.ok
    assert all(each.distance < 1e-7 for each in report.parameters if each.name != "0.bias")


def test_frozen_parameters_are_left_out_and_named() -> None:
    model = network()
    model[0].weight.requires_grad = False
    report = tg.check_grads(model, F.softmax_cross_entropy, *batch())
    assert report.ok
    assert report.frozen == ("0.weight",)
    assert "frozen, not checked: 0.weight" in repr(report)
    assert "0.weight" not in [each.name for each in report.parameters]


def test_a_parameter_that_no_gradient_reaches() -> None:
    class Cut(nn.Module):
        def __init__(self) -> None:
            self.a, self.b = nn.Linear(5, OUT), nn.Linear(5, OUT)

        def forward(self, x: Any) -> Any:
            return self.a(x) + self.b(x).detach()

    report = tg.check_grads(Cut(), F.softmax_cross_entropy, *batch())
    assert report.wrong == ("b.weight", "b.bias")
    assert "no gradient arrives" in repr(report)


def test_tied_weights_are_one_parameter() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            self.a, self.b = nn.Linear(5, 5), nn.Linear(5, 5)
            self.b.weight = self.a.weight

        def forward(self, x: Any) -> Any:
            return self.b(F.tanh(self.a(x)))

    report = tg.check_grads(Tied(), F.softmax_cross_entropy, *batch())
    assert report.ok
    assert [each.name for each in report.parameters] == ["a.weight", "a.bias", "b.bias"]


def test_random_directions_for_large_parameters() -> None:
    model = nn.Sequential(nn.Linear(5, 300), nn.Tanh(), nn.Linear(300, OUT), seed=0)
    report = tg.check_grads(model, F.softmax_cross_entropy, *batch(), limit=300, samples=7)
    assert report.ok
    assert [each.coverage for each in report.parameters] == ["7 directions", "300 of 300", "7 directions", "3 of 3"]
    other = tg.check_grads(model, F.softmax_cross_entropy, *batch(), limit=300, samples=7, seed=1)
    assert other.parameters[0].difference != report.parameters[0].difference
    again = tg.check_grads(model, F.softmax_cross_entropy, *batch(), limit=300, samples=7)
    assert again == report


def test_one_wrong_element_of_a_large_parameter_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sampled elements would miss it; each direction has it."""
    reason = no_kernels()
    if reason:
        pytest.skip(f"the fused path cannot run: {reason}")
    model = nn.Sequential(nn.Linear(5, 300), nn.Tanh(), nn.Linear(300, OUT), seed=0)
    assert tg.check_grads(model, F.softmax_cross_entropy, *batch(), limit=100).ok
    monkeypatch.setitem(F.linear.kernels, "cpu", in_backward(F.linear.kernels["cpu"], 1, last_element))
    report = tg.check_grads(model, F.softmax_cross_entropy, *batch(), limit=100)
    assert report.wrong == ("0.weight", "2.weight")


@pytest.mark.parametrize(
    ("operation", "place", "wrong"),
    [
        ("linear", 1, ("0.weight", "4.weight")),
        ("linear", 2, ("4.bias",)),
        ("batch_norm", 1, ("1.weight",)),
        ("batch_norm", 2, ("1.bias",)),
        ("batch_norm", 0, ("0.weight",)),
        ("relu", 0, ("0.weight", "1.weight", "1.bias")),
        ("dropout", 0, ("0.weight", "1.weight", "1.bias")),
    ],
)
def test_errors_in_kernels_are_named_by_parameter(
    monkeypatch: pytest.MonkeyPatch, operation: str, place: int, wrong: tuple[str, ...]
) -> None:
    """Through the flat gradient, as in training; a bias before batch norm has gradient 0, doubled or not."""
    reason = no_kernels()
    if reason:
        pytest.skip(f"the fused path cannot run: {reason}")
    assert tg.check_grads(network(), F.softmax_cross_entropy, *batch()).ok
    kernels = registry[operation].kernels
    monkeypatch.setitem(kernels, "cpu", in_backward(kernels["cpu"], place, doubled))
    assert tg.check_grads(network(), F.softmax_cross_entropy, *batch()).wrong == wrong


def test_layers_with_a_kinked_input_are_named() -> None:
    model = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1), seed=0)
    model[0].weight, model[0].bias, model[2].weight = [[1.0]], [-1.0], [[2.0]]
    x = np.asarray([[1.0 + 1e-7], [3.0]])
    report = tg.check_grads(model, F.mean_squared_error, x, np.asarray([[1.0], [2.0]]))
    assert report.ok, report
    assert report.parameters[0].kinks == ("[0, 0] (1 input of ReLU() '1')",)
    assert "  kink within the step: 0.weight[0, 0] (1 input of ReLU() '1')" in repr(report).splitlines()


def test_other_array_libraries() -> None:
    """The reference path on another library and device: nothing is moved to the host but theta and the cost."""
    device = array_api_strict.Device("device1")
    x = array_api_strict.asarray(batch()[0], device=device)
    y = array_api_strict.asarray(batch()[1], device=device)
    model = network().to(like=x)
    report = tg.check_grads(model, F.softmax_cross_entropy, x, y)
    assert report.ok, report
    inputs = array_api_strict.astype(x, array_api_strict.float64)
    weight = array_api_strict.asarray(np.ones((OUT, 5), np.float32), device=device)
    assert tg.check_grads(lambda w: F.softmax_cross_entropy(F.linear(inputs, w), y), weight).ok


def test_the_report_as_numbers_and_as_a_table() -> None:
    report = tg.check_grads(network(), F.softmax_cross_entropy, *batch())
    found = json.loads(json.dumps(report.to_dict()))
    assert found["ok"] is True
    assert found["verdict"] == "great"
    assert found["wrong"] == []
    assert found["parameters"][0]["name"] == "0.weight"
    assert found["parameters"][0]["shape"] == [7, 5]
    assert found["evaluations"] == report.evaluations > 2 * 73
    lines = repr(report).splitlines()
    assert lines[0].startswith("gradient check: great, distance ")
    assert lines[1].split() == ["shape", "checked", "distance", "rounding", "verdict"]
    assert "great (0 within rounding)" in lines[3]
    assert "train mode; epsilon 1e-06" in lines[-1]
