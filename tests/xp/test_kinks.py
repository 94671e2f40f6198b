"""The conventions where a derivative does not exist, or where a formula would give NaN: PyTorch's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from twingrad import Tensor, functional, xp

NAN = math.nan


def gradients_at(f: Any, *values: Any) -> list[list[float]]:
    tensors = [Tensor(np.asarray(v, np.float64), requires_grad=True) for v in values]
    xp.sum(f(*tensors)).backward()
    return [t.grad.tolist() for t in tensors]


KINKS = [
    ("abs at 0", xp.abs, ([-2.0, 0.0, 3.0],), [[-1.0, 0.0, 1.0]]),
    ("relu at 0", functional.relu, ([-2.0, 0.0, -0.0, 3.0],), [[0.0, 0.0, 0.0, 1.0]]),
    ("maximum tied", xp.maximum, ([1.0, 2.0, 3.0], [2.0, 2.0, 2.0]), [[0.0, 0.5, 1.0], [1.0, 0.5, 0.0]]),
    ("minimum tied", xp.minimum, ([1.0, 2.0, 3.0], [2.0, 2.0, 2.0]), [[1.0, 0.5, 0.0], [0.0, 0.5, 1.0]]),
    ("maximum of NaN", xp.maximum, ([NAN, 1.0, NAN], [1.0, NAN, NAN]), [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]),
    ("minimum of NaN", xp.minimum, ([NAN, 1.0, NAN], [1.0, NAN, NAN]), [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]),
    ("maximum with a number", lambda x: xp.maximum(x, 0), ([-1.0, 0.0, 1.0],), [[0.0, 0.5, 1.0]]),
    ("max tied", xp.max, ([1.0, 3.0, 3.0, 3.0],), [[0.0, 1 / 3, 1 / 3, 1 / 3]]),
    ("min tied", xp.min, ([[1.0, 3.0], [1.0, 2.0]],), [[[0.5, 0.0], [0.5, 0.0]]]),
    ("max tied in rows", lambda x: xp.max(x, axis=1), ([[2.0, 2.0], [0.0, 1.0]],), [[[0.5, 0.5], [0.0, 1.0]]]),
    ("std of a constant", xp.std, ([2.0, 2.0],), [[0.0, 0.0]]),
    ("maximum with itself", lambda x: xp.maximum(x, x), ([1.0],), [[1.0]]),
]


@pytest.mark.parametrize(("label", "f", "values", "expected"), KINKS, ids=[k[0] for k in KINKS])
def test_convention(label: str, f: Any, values: Any, expected: Any) -> None:
    assert gradients_at(f, *values) == expected


TORCH = {
    "abs at 0": "abs", "relu at 0": "relu", "maximum tied": "maximum", "minimum tied": "minimum",
    "maximum of NaN": "maximum", "minimum of NaN": "minimum",
    "max tied": "amax", "min tied": "amin", "std of a constant": "std",
}  # fmt: skip


@pytest.mark.oracle
@pytest.mark.parametrize("label", TORCH)
def test_convention_is_that_of_torch(label: str) -> None:
    torch = pytest.importorskip(
        "torch", reason="PyTorch is the oracle of conventions; it comes with the extra `oracle`"
    )
    _, _, values, expected = next(kink for kink in KINKS if kink[0] == label)
    tensors = [torch.tensor(v, requires_grad=True, dtype=torch.float64) for v in values]
    getattr(torch, TORCH[label])(*tensors).sum().backward()
    assert [t.grad.tolist() for t in tensors] == expected


POWERS = [
    # base, exponent, value, by base, by exponent (None where the base is negative: a logarithm that does not exist)
    (0.0, 0.0, 1.0, 0.0, 0.0),
    (0.0, 1.0, 0.0, 1.0, 0.0),
    (0.0, 2.0, 0.0, 0.0, 0.0),
    (2.0, 0.0, 1.0, 0.0, math.log(2)),
    (2.0, 3.0, 8.0, 12.0, 8 * math.log(2)),
    (2.0, -1.0, 0.5, -0.25, 0.5 * math.log(2)),
    (-2.0, 3.0, -8.0, 12.0, None),
    (-2.0, 2.0, 4.0, -4.0, None),
    (-2.0, 1.0, -2.0, 1.0, None),
    (-2.0, 0.0, 1.0, 0.0, None),
    (-2.0, -1.0, -0.5, -0.25, None),
]
POWER_IDS = [f"{p[0]}**{p[1]}" for p in POWERS]


@pytest.mark.parametrize(("base", "exponent", "value", "by_base", "by_exponent"), POWERS, ids=POWER_IDS)
def test_power(base: float, exponent: float, value: float, by_base: float, by_exponent: float | None) -> None:
    assert gradients_at(lambda x: x**exponent, base) == [by_base]
    if exponent == int(exponent):
        assert gradients_at(lambda x: x ** int(exponent), base) == [by_base]
    constant = Tensor(np.asarray(exponent))
    assert gradients_at(lambda x: x**constant, base) == [by_base]
    assert float(Tensor(np.asarray(base)) ** constant) == value
    if by_exponent is None:
        assert math.isnan(gradients_at(lambda y: base**y, exponent)[0])
    else:
        assert gradients_at(lambda y: base**y, exponent) == [pytest.approx(by_exponent, rel=1e-15)]
        assert gradients_at(lambda x, y: x**y, base, exponent) == [by_base, pytest.approx(by_exponent, rel=1e-15)]


@pytest.mark.oracle
@pytest.mark.parametrize("power", POWERS, ids=POWER_IDS)
def test_power_is_that_of_torch(power: Any) -> None:
    torch = pytest.importorskip(
        "torch", reason="PyTorch is the oracle of conventions; it comes with the extra `oracle`"
    )
    base, exponent, value, by_base, by_exponent = power
    x, y = (torch.tensor(v, requires_grad=True, dtype=torch.float64) for v in (base, exponent))
    (x**y).backward()
    assert (x.grad.item(), (x**y).item()) == (by_base, value)
    if by_exponent is None:
        assert math.isnan(y.grad.item()) or exponent == 0
    else:
        assert y.grad.item() == pytest.approx(by_exponent, rel=1e-15)


@pytest.mark.parametrize("x", [0.7, 2.0])
def test_mixed_second_derivative_of_a_power_at_exponent_0(x: float) -> None:
    from twingrad import grad

    by_base = grad(lambda a, b: a**b)
    found = grad(lambda b, a: by_base(a, b))(Tensor(np.asarray(0.0)), Tensor(np.asarray(x)))
    assert float(found) == pytest.approx(1 / x, rel=1e-14)
