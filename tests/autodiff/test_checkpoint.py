"""Activation checkpointing: the same bits as without, and the intermediate arrays are gone."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pytest

import twingrad as tg
from twingrad import AutodiffError, CaptureError, Tensor, fused, nn, optim, xp
from twingrad import functional as F
from twingrad.kernels import cpu

import networks

X = np.random.default_rng(3).normal(size=(16, 6)).astype(np.float32)
Y = np.arange(16) % 3


def model_of(seed: int = 1) -> Any:
    layers = [nn.Linear(6, 8), nn.BatchNorm(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3)]
    return nn.Sequential(*layers, seed=seed)


def train(checkpointed: str, steps: int = 3) -> tuple[list[Any], dict[str, Any]]:
    model = model_of()
    optimizer = optim.Adam(model, lr=0.1)
    part = tg.checkpoint(lambda x: model[3](model[2](model[1](model[0](x)))))
    calls: dict[str, Any] = {"no": model, "whole": tg.checkpoint(model), "parts": lambda x: model[4](part(x))}
    call, losses = calls[checkpointed], []
    for _ in range(steps):
        loss = F.softmax_cross_entropy(call(X), Y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.numpy().copy())
    return losses, model.state_dict()


@pytest.mark.parametrize("mode", ["auto", "never"])
@pytest.mark.parametrize("how", ["whole", "parts"])
def test_training_gives_the_same_bits(how: str, mode: str) -> None:
    """Dropout's masks, running averages, counters and all."""
    with fused(mode):
        plain, expected = train("no")
        losses, found = train(how)
    assert np.array_equal(plain, losses)
    networks.assert_same_bits(found, expected)


def test_the_mode_of_the_forward_pass_holds_when_it_is_computed_again() -> None:
    seen: list[str] = []

    def f(x: Any) -> Any:
        seen.append(tg.fusable.fused_mode())
        return x * 2.0

    with fused("never"):
        out = tg.checkpoint(f)(Tensor(X, requires_grad=True))
    xp.sum(out).backward()
    assert seen == ["never", "never"]


def test_nested_checkpoints_give_counters_their_first_values() -> None:
    found = []
    for wrap in (tg.checkpoint, lambda f: f):
        linear, dropout = nn.Linear(6, 8), nn.Dropout(0.3)
        model = nn.Sequential(linear, dropout, seed=2)
        inner = wrap(model)
        out = wrap(lambda x, inner=inner, dropout=dropout: dropout(inner(x) * 1.0))(Tensor(X))
        xp.sum(out * out).backward()
        assert dropout.counter.value == 2
        found.append((out.numpy(), linear.weight.grad))
    assert np.array_equal(found[0][0], found[1][0])
    assert np.array_equal(found[0][1], found[1][1])


def test_arguments_and_what_is_taken_from_outside_get_their_gradients() -> None:
    x, w, unused = (Tensor(np.asarray(v), requires_grad=True) for v in (2.0, 3.0, 1.0))
    early = w * 1.0
    f = tg.checkpoint(lambda a, *, b: a * b * early * w)
    (f(x, b=x * 1.0) + unused).backward()
    assert (float(x.grad), float(w.grad), float(unused.grad)) == (2 * 2 * 9.0, 4 * 6.0, 1.0)


def test_second_derivatives_and_transforms() -> None:
    f: Any = lambda x: xp.sum(xp.exp(xp.sin(x)))  # noqa: E731
    g, x = tg.checkpoint(f), np.asarray([0.3, 0.7])
    assert np.array_equal(tg.grad(g)(x), tg.grad(f)(x))
    assert np.allclose(tg.jacobian(tg.grad(g))(x), tg.jacobian(tg.grad(f))(x), rtol=1e-15)
    assert np.array_equal(tg.grad(tg.checkpoint(tg.checkpoint(f)))(x), tg.grad(f)(x))


def test_intermediate_arrays_are_not_kept() -> None:
    watched: list[Any] = []

    def f(x: Any) -> Any:
        middle = xp.exp(x)
        watched.append(weakref.ref(middle))
        return xp.sin(middle)

    x = Tensor(np.asarray(0.5), requires_grad=True)
    kept = f(x)
    assert watched[0]() is not None
    del kept
    out = tg.checkpoint(f)(x)
    assert watched[1]() is None
    out.backward()
    assert watched[2]() is None
    assert len(watched) == 3


def test_nothing_is_computed_again_that_needs_no_gradient() -> None:
    calls: list[int] = []
    f = tg.checkpoint(lambda x: (calls.append(1), x * 2.0)[1])
    assert not f(Tensor(X)).requires_grad
    assert type(f(X)) is np.ndarray
    with tg.no_grad():
        assert not f(Tensor(X, requires_grad=True)).requires_grad
    assert len(calls) == 3


def test_the_argument_itself_as_the_result() -> None:
    x = Tensor(np.asarray(2.0), requires_grad=True)
    for given in (x, x * 1.0):
        x.grad = None
        tg.checkpoint(lambda x: x)(given).backward()
        assert float(x.grad) == 1.0


def test_a_write_in_between_is_refused() -> None:
    x = Tensor(np.asarray([1.0, 2.0]), requires_grad=True)
    out = xp.sum(tg.checkpoint(lambda x: x * x)(x))
    with tg.no_grad():
        x[0] = 5.0
    with pytest.raises(AutodiffError, match=r"input 0 of checkpoint of .*lambda.* was overwritten in place"):
        out.backward()


def test_only_one_array_is_taken_as_a_result() -> None:
    with pytest.raises(AutodiffError, match="one array, got a tuple"):
        tg.checkpoint(lambda x: (x, x))(Tensor(np.ones(2), requires_grad=True))


@pytest.mark.parametrize("counters", [1, 2], ids=["another", "one more"])
def test_counters_that_were_not_advanced_at_first_are_refused(counters: int) -> None:
    used = [nn.Dropout(0.5)]

    def f(x: Any) -> Any:
        for layer in used:
            x = layer(x)
        return x

    out = tg.checkpoint(f)(Tensor(X, requires_grad=True))
    used[0 if counters == 1 else 1 :] = [nn.Dropout(0.5)]
    with pytest.raises(AutodiffError, match="advances other counters when it is computed again"):
        xp.sum(out).backward()


@pytest.mark.skipif(cpu.unavailable() is not None, reason="nothing is captured without compiled kernels")
def test_it_refuses_capture_by_name() -> None:
    with pytest.raises(CaptureError, match="checkpointed function cannot be captured"):
        tg.capture(lambda x: tg.checkpoint(F.relu)(x))(X)
