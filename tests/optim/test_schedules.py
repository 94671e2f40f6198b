"""Schedules: the course's numbers, what each counts from, saving, bad arguments, and their way into the optimizer."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest

import twingrad as tg
from twingrad import optim
from twingrad.optim import schedules as s

import networks
from kernels_here import no_kernels

EXAMPLES = {
    "inverse time": (s.InverseTime(0.2, decay=1.0), "epoch", [0.2, 0.1, 0.2 / 3, 0.05, 0.04]),
    "exponential": (s.Exponential(0.2), "epoch", [0.2, 0.19, 0.1805, 0.171475, 0.16290125]),
    "k / sqrt(epoch)": (s.InverseSqrt(0.2), "epoch", [0.2, 0.2 / 2**0.5, 0.2 / 3**0.5, 0.1]),
    "k / sqrt(step)": (s.InverseSqrt(0.2, k=2.0, per="step"), "step", [0.4, 0.4 / 2**0.5, 0.4 / 3**0.5, 0.2]),
    "staircase": (s.Staircase(0.4, every=2, factor=0.1), "epoch", [0.4, 0.4, 0.04, 0.04, 0.004]),
    "table": (s.Table({0: 0.3, 2: 0.1}), "epoch", [0.3, 0.3, 0.1, 0.1]),
    "function": (s.Function(lambda epoch: 1.0 / (1 + epoch)), "epoch", [1.0, 0.5, 1 / 3]),
    "warm-up": (s.Warmup(0.4, steps=4), "step", [0.1, 0.2, 0.3, 0.4, 0.4]),
    "cosine": (s.Cosine(0.2, length=4, floor=0.1), "step", [0.2, 0.1853553, 0.15, 0.1146447, 0.1, 0.1]),
    "snapshots": (s.CosineRestarts(0.2, length=1, multiply=2), "step", [0.2, 0.2, 0.1, 0.2, 0.1707107, 0.1]),
    "epochs of cosine": (s.Cosine(0.2, length=2, per="epoch"), "epoch", [0.2, 0.1, 0.0]),
    "triangular": (s.Triangular(0.1, 0.5, half=2), "step", [0.1, 0.3, 0.5, 0.3, 0.1, 0.3]),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_values(name: str) -> None:
    schedule, unit, expected = EXAMPLES[name]
    found = [schedule(n, 10**6) if unit == "step" else schedule(10**6, n) for n in range(len(expected))]
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-15)
    assert schedule.counts_epochs == (unit == "epoch")


def test_a_warm_up_goes_over_into_another_schedule() -> None:
    schedule = s.Warmup(s.InverseTime(0.2, decay=1.0), steps=3)
    assert schedule.counts_epochs
    found = [schedule(step, step // 2) for step in range(5)]
    assert found == pytest.approx([0.2 / 3, 0.4 / 3, 0.1, 0.1, 0.2 / 3])


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name != "function"])
def test_saving(name: str) -> None:
    schedule = EXAMPLES[name][0]
    again = s.from_dict(json.loads(json.dumps(schedule.to_dict())))
    assert [again(n, n) for n in range(9)] == [schedule(n, n) for n in range(9)]
    assert type(again) is type(schedule)
    with pytest.raises(dataclasses.FrozenInstanceError):
        schedule.lr = 1.0  # type: ignore[misc, attr-defined]


def test_saving_a_schedule_inside_another() -> None:
    schedule = s.Warmup(s.Cosine(0.1, length=5), steps=2)
    assert s.from_dict(schedule.to_dict()) == schedule
    with pytest.raises(TypeError, match="made of a Python function cannot be saved; use Table"):
        s.Function(lambda epoch: 0.1).to_dict()


BAD = [
    (lambda: s.InverseTime(-0.1, decay=1.0), "lr of InverseTime must be a finite number of at least 0, got -0.1"),
    (lambda: s.InverseTime(0.1, decay=math.nan), "decay of InverseTime must be a finite"),
    (lambda: s.Exponential(0.1, base=1.5), r"base of Exponential must be in \(0, 1\], got 1.5"),
    (lambda: s.Exponential(0.1, base=0.0), r"base of Exponential must be in \(0, 1\], got 0.0"),
    (lambda: s.InverseSqrt(0.1, per="week"), "per of InverseSqrt is 'step' or 'epoch', got 'week'"),
    (lambda: s.Staircase(0.1, every=0), "every of Staircase must be a positive integer, got 0"),
    (lambda: s.Staircase(0.1, every=1.5), "every of Staircase must be a positive integer, got 1.5"),
    (lambda: s.Table({1: 0.1}), r"ascending order, the first 0; got \[1\]"),
    (lambda: s.Table({}), r"the first 0; got \[\]"),
    (lambda: s.Table([(0, 0.1), (2, 0.1), (2, 0.1)]), "ascending order"),
    (lambda: s.Table({0: -1.0}), "a rate of Table must be a finite number"),
    (lambda: s.Cosine(0.1, length=True), "length of Cosine must be a positive integer, got True"),
    (lambda: s.Triangular(0.2, 0.1, half=3), "low <= high, got 0.2 and 0.1"),
    (lambda: s.Warmup(-1.0, steps=3), "after of Warmup must be a finite"),
    (lambda: s.Warmup(0.1, steps=0), "steps of Warmup must be a positive integer"),
    (lambda: s.from_dict({"schedule": "cosin", "lr": 0.1}), "unknown schedule 'cosin'; did you mean 'Cosine'"),
    (lambda: s.from_dict({"schedule": "Cosine", "rate": 0.1}), "schedule Cosine: .*rate"),
    (lambda: s.from_dict({}), "unknown schedule None"),
]


@pytest.mark.parametrize(("make", "message"), BAD)
def test_bad_arguments(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_the_optimizer_tells_the_epoch_from_its_steps() -> None:
    model = networks.network()
    optimizer = optim.SGD(model, lr=s.InverseTime(0.2, decay=1.0))
    with pytest.raises(ValueError, match=r"InverseTime\(.*\) counts epochs, .*: set optimizer.steps_per_epoch"):
        networks.train(model, optimizer, 1)
    optimizer.steps_per_epoch = 2
    rates = []
    for number in range(6):
        rates.append(optimizer.rate)
        networks.train(model, optimizer, 1, first=number)
    assert rates == pytest.approx([0.2, 0.2, 0.1, 0.1, 0.2 / 3, 0.2 / 3])
    for bad in (0, -1, 1.5, True):
        with pytest.raises(ValueError, match="steps_per_epoch must be a positive integer"):
            optimizer.steps_per_epoch = bad


@pytest.mark.skipif(no_kernels() is not None, reason=str(no_kernels()))
def test_a_captured_step_follows_the_schedule() -> None:
    found = []
    for wrap in (lambda step: step, tg.capture):
        model = networks.network()
        optimizer = optim.Adam(model, lr=s.Warmup(s.Staircase(0.1, every=1), steps=3))
        optimizer.steps_per_epoch = 4
        losses = networks.run((model, optimizer), wrap, networks.batches(steps=9))
        found.append({"losses": np.asarray(losses), **networks.everything(model, optimizer)})
    networks.assert_same_bits(found[1], found[0])
