"""The conventions where a derivative does not exist, or where a formula would give NaN: PyTorch's."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pytest

from twingrad import Tensor, functional, xp

NAN, inf = math.nan, math.inf
W = np.asarray([1.0, 2.0, 4.0])
I = np.asarray([0, 2, 0])


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
    ("copysign at 0", xp.copysign, ([0.0, -2.0, 3.0], [-1.0, 1.0, -1.0]), [[0.0, -1.0, -1.0], [0.0, 0.0, 0.0]]),
    ("atan2 at 0", xp.atan2, ([0.0, 0.0, 1.0], [0.0, 2.0, 0.0]), [[0.0, 0.5, 0.0], [0.0, 0.0, -1.0]]),
    ("logaddexp of large numbers", xp.logaddexp, ([1e300, -1e17, 1e9], [1e300, -1e17, 1e9]), [[0.5] * 3, [0.5] * 3]),
    (
        "logaddexp of an infinity",
        xp.logaddexp,
        ([inf, -inf, 1e9], [0.0, 1.0, -1e9]),
        [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]],
    ),
    ("nextafter", xp.nextafter, ([1.0, 2.0], [3.0, 0.0]), [[1.0, 1.0], [0.0, 0.0]]),
    ("clip at the bounds", lambda x: xp.clip(x, 0.0, 1.0), ([-1.0, 0.0, 0.5, 1.0, 2.0],), [[0.0, 1.0, 1.0, 1.0, 0.0]]),
    ("clip by arrays", xp.clip, ([0.0, 2.0, 5.0], 1.0, 3.0), [[0.0, 1.0, 0.0], 1.0, 1.0]),
    ("clip by crossed bounds", xp.clip, ([0.0, 2.0, 5.0], 3.0, 1.0), [[0.0, 0.0, 0.0], 0.0, 3.0]),
    ("sort tied", lambda x: xp.sort(x) * W, ([2.0, 1.0, 2.0],), [[2.0, 1.0, 4.0]]),
    ("sort tied, descending", lambda x: xp.sort(x, descending=True) * W, ([2.0, 1.0, 2.0],), [[1.0, 4.0, 2.0]]),
    ("unique values", lambda x: xp.unique_values(x) * W[:2], ([2.0, 1.0, 2.0],), [[2.0, 1.0, 0.0]]),
    ("take twice", lambda x: xp.take(x, I), ([1.0, 2.0, 3.0],), [[2.0, 0.0, 1.0]]),
    ("prod of a zero", xp.prod, ([2.0, 0.0, 3.0],), [[0.0, 6.0, 0.0]]),
    ("prod of two zeros", xp.prod, ([2.0, 0.0, 0.0],), [[0.0, 0.0, 0.0]]),
    ("cumulative product of a zero", xp.cumulative_prod, ([2.0, 0.0, 3.0],), [[1.0, 8.0, 0.0]]),
    ("norm of zeros", xp.linalg.vector_norm, ([0.0, 0.0],), [[0.0, 0.0]]),
    ("norm of order 3 of zeros", lambda x: xp.linalg.vector_norm(x, ord=3), ([0.0, 0.0],), [[0.0, 0.0]]),
    ("largest of a norm, tied", lambda x: xp.linalg.vector_norm(x, ord=inf), ([2.0, -2.0],), [[0.5, -0.5]]),
    ("Frobenius norm of zeros", xp.linalg.matrix_norm, ([[0.0, 0.0]],), [[[0.0, 0.0]]]),
    ("det of rank 1", xp.linalg.det, ([[1.0, 0.0], [0.0, 0.0]],), [[[0.0, 0.0], [0.0, 1.0]]]),
    ("det of rank 0", xp.linalg.det, ([[0.0, 0.0], [0.0, 0.0]],), [[[0.0, 0.0], [0.0, 0.0]]]),
    ("equal eigenvalues", xp.linalg.eigvalsh, ([[2.0, 0.0], [0.0, 2.0]],), [[[1.0, 0.0], [0.0, 1.0]]]),
    ("equal eigenvalues of eigh", lambda x: xp.linalg.eigh(x)[0], ([[2.0, 0.0], [0.0, 2.0]],), [[[1, 0], [0, 1]]]),
    ("equal singular values", xp.linalg.svdvals, ([[2.0, 0.0], [0.0, 2.0]],), [[[1.0, 0.0], [0.0, 1.0]]]),
    ("entr at 1", xp.special.entr, ([1.0],), [[-1.0]]),
]


@pytest.mark.parametrize(("label", "f", "values", "expected"), KINKS, ids=[k[0] for k in KINKS])
def test_convention(label: str, f: Any, values: Any, expected: Any) -> None:
    assert gradients_at(f, *values) == expected


def test_vectors_of_equal_eigenvalues_have_no_derivative() -> None:
    with np.errstate(all="ignore"):
        (found,) = gradients_at(lambda x: xp.linalg.eigh(x).eigenvectors * W[:2], [[2.0, 0.0], [0.0, 2.0]])
    assert not np.all(np.isfinite(found))


@pytest.mark.parametrize("value", [0.1, 2.5850249910345866, 1e9 / 3, -1e-9])
def test_std_of_a_constant_whose_mean_is_rounded(value: float) -> None:
    for count in (3, 7, 49):
        (found,) = gradients_at(xp.std, [value] * count)
        assert np.max(np.abs(found)) <= 1e-9


@pytest.mark.parametrize("name", ["var", "std"])
def test_a_variance_without_degrees_of_freedom_is_nan_and_so_is_its_derivative(name: str) -> None:
    with pytest.warns(RuntimeWarning):
        assert np.all(np.isnan(gradients_at(lambda x: getattr(xp, name)(x, correction=1), [2.0])))


def test_entr_has_an_infinite_derivative_at_0() -> None:
    with np.errstate(divide="ignore"):
        assert gradients_at(xp.special.entr, [0.0]) == [[inf]]


TORCH = {
    "abs at 0": "abs", "relu at 0": "relu", "maximum tied": "maximum", "minimum tied": "minimum",
    "maximum of NaN": "maximum", "minimum of NaN": "minimum",
    "max tied": "amax", "min tied": "amin", "std of a constant": "std", "copysign at 0": "copysign",
    "prod of a zero": "prod", "prod of two zeros": "prod", "norm of zeros": "linalg.vector_norm",
    "Frobenius norm of zeros": "linalg.matrix_norm", "det of rank 0": "linalg.det",
    "equal eigenvalues": "linalg.eigvalsh", "equal singular values": "linalg.svdvals", "clip by arrays": "clamp",
}  # fmt: skip


@pytest.mark.oracle
@pytest.mark.parametrize("label", TORCH)
def test_convention_is_that_of_torch(label: str) -> None:
    torch = pytest.importorskip(
        "torch", reason="PyTorch is the oracle of conventions; it comes with the extra `oracle`"
    )
    _, _, values, expected = next(kink for kink in KINKS if kink[0] == label)
    tensors = [torch.tensor(v, requires_grad=True, dtype=torch.float64) for v in values]
    functools.reduce(getattr, TORCH[label].split("."), torch)(*tensors).sum().backward()
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


@pytest.mark.oracle
@pytest.mark.parametrize("exponent", [-1.0, -0.5, -2.0])
def test_a_negative_power_of_0_falls_without_bound(exponent: float) -> None:
    torch = pytest.importorskip("torch")
    x, y = (torch.tensor(v, requires_grad=True, dtype=torch.float64) for v in (0.0, exponent))
    (x**y).backward()
    with np.errstate(divide="ignore"):
        assert gradients_at(lambda x, y: x**y, 0.0, exponent) == [x.grad.item(), y.grad.item()] == [-inf, -inf]
        assert gradients_at(lambda y: 0.0**y, exponent) == [-inf]


@pytest.mark.parametrize("x", [0.7, 2.0])
def test_mixed_second_derivative_of_a_power_at_exponent_0(x: float) -> None:
    from twingrad import grad

    by_base = grad(lambda a, b: a**b)
    found = grad(lambda b, a: by_base(a, b))(Tensor(np.asarray(0.0)), Tensor(np.asarray(x)))
    assert float(found) == pytest.approx(1 / x, rel=1e-14)
