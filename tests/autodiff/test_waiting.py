"""Nothing here reads a value back on the host by itself: on a GPU each read would stop until the device is done."""

from __future__ import annotations

import collections
from collections.abc import Iterator
from typing import Any

import array_api_strict as strict
import numpy as np
import pytest

import twingrad as tg
from twingrad import Tensor, xp

DEVICE1 = strict.Device("device1")
READS = ("__float__", "__bool__", "__int__", "__index__", "__complex__", "__dlpack__", "__array__", "to_device")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[collections.Counter[str]]:
    """How often each way to read an array was taken."""
    kind, found = type(strict.ones(1)), collections.Counter()  # type: ignore[var-annotated]
    for name in READS:
        if hasattr(kind, name):
            plain = getattr(kind, name)

            def counted(self: Any, *args: Any, _name: str = name, _plain: Any = plain, **kwargs: Any) -> Any:
                found[_name] += 1
                return _plain(self, *args, **kwargs)

            monkeypatch.setattr(kind, name, counted)
    return found


def program(x: Any) -> Any:
    """Broadcasting, shapes, indexing, a choice by values, reductions and a product."""
    h = xp.tanh(x @ x.T) * 2.0 + x[:, :1]
    h = xp.where(h > 0.0, h, 0.1 * h)
    return xp.mean(xp.exp(-h) + xp.max(h, axis=1, keepdims=True)) + xp.sum(xp.concat([x, x])[1:, ::2]) / x.size


TRANSFORMS: dict[str, Any] = {
    "grad": lambda x: tg.grad(program)(x),
    "grad of grad": lambda x: tg.grad(lambda x: xp.sum(tg.grad(program)(x) ** 2))(x),
    "vjp": lambda x: tg.vjp(program, x)[1](strict.asarray(2.0, dtype=x.dtype, device=x.device)),
    "jacobian": lambda x: tg.jacobian(lambda x: xp.sum(x * x, axis=0))(x),
    "hvp": lambda x: tg.hvp(program, x, x),
    "jvp": lambda x: tg.jvp(program, x, x),
    "checkpoint": lambda x: tg.grad(tg.checkpoint(program))(x),
}


@pytest.fixture
def x() -> Any:
    return strict.asarray(np.linspace(-1, 1, 9).reshape(3, 3), device=DEVICE1)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms_read_nothing(name: str, x: Any, reads: collections.Counter[str]) -> None:
    TRANSFORMS[name](x)
    assert not reads


def test_training_reads_what_the_user_reads(x: Any, reads: collections.Counter[str]) -> None:
    w = Tensor(x, requires_grad=True)
    for _ in range(3):
        w.grad = None
        loss = program(w)
        loss.backward()
        with tg.no_grad():
            w[...] = w - 0.1 * w.grad
    assert not reads
    assert float(loss) == loss.item()
    assert reads == {"__float__": 2}
    loss.numpy()
    assert reads["__dlpack__"] == 1
