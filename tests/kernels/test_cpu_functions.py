"""The exponential, the logarithms, tanh and the sigmoid: units in the last place over their range, and the edges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from cpu_cases import FLOATS, ISAS, TAILS, assert_same_bits, hard_values, instruction_set, misaligned, needs_kernels

from twingrad.kernels.cpu import Kernel

pytestmark = needs_kernels
Values = np.ndarray[Any, Any]
INF, NAN = float("inf"), float("nan")


def sigmoid(x: Values) -> Values:
    e = np.exp(-abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


class Case(NamedTuple):
    """A function of 80-bit numbers, the ulps that its header states, values to try in a dtype, and what edges give."""

    oracle: Callable[[Values], Values]
    ulps: float
    values: Callable[[str], Values]
    edges: list[tuple[float, float]]


def everywhere(dtype: str) -> Values:
    """Every exponent, subnormal ones too, of either sign; and where the functions bend."""
    info = np.finfo(dtype)
    sizes = np.float_power(np.longdouble(2), np.linspace(info.minexp - info.nmant, info.maxexp - 0.01, 60_001))
    return np.concatenate([sizes, -sizes, np.linspace(-40, 40, 60_001), np.linspace(-1, 1, 20_001)]).astype(dtype)


def exponents(dtype: str) -> Values:
    info = np.finfo(dtype)
    low, high = np.log(float(info.smallest_subnormal)), np.log(float(info.max))
    return np.concatenate([np.linspace(low + 0.01, high - 0.01, 100_001), np.linspace(-1, 1, 20_001)]).astype(dtype)


def positive(dtype: str) -> Values:
    values = everywhere(dtype)
    return np.concatenate([values[values > 0], np.linspace(0.5, 2, 60_001).astype(dtype)])


def to_one(dtype: str) -> Values:
    values = everywhere(dtype)
    return values[(values >= 0) & (values <= 1)]


CASES = {
    "exponential": Case(np.exp, 2, exponents, [(0.0, 1), (INF, INF), (-INF, 0), (1e6, INF), (-1e6, 0), (NAN, NAN)]),
    "logarithm": Case(
        np.log, 1, positive, [(0.0, -INF), (-0.0, -INF), (INF, INF), (-INF, NAN), (-1.0, NAN), (1.0, 0), (NAN, NAN)]
    ),
    "logarithm_1p": Case(np.log1p, 1.5, to_one, [(0.0, 0), (NAN, NAN)]),
    "tanh": Case(np.tanh, 2.5, everywhere, [(0.0, 0.0), (-0.0, -0.0), (INF, 1), (-INF, -1), (1e6, 1), (NAN, NAN)]),
    "sigmoid": Case(sigmoid, 2.5, everywhere, [(0.0, 0.5), (-0.0, 0.5), (INF, 1), (-INF, 0), (NAN, NAN)]),
}


def run(name: str, x: Values) -> Values:
    out = np.empty_like(x)
    Kernel(name, 2, "q")((out, x), x.size)
    return out


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", CASES)
def test_units_in_the_last_place(name: str, isa: str, dtype: str) -> None:
    case = CASES[name]
    x = case.values(dtype)
    with instruction_set(isa), np.errstate(all="ignore"):
        want = case.oracle(x.astype(np.longdouble))
        unit = np.spacing(abs(want.astype(dtype))).astype(np.longdouble)
        assert float(np.max(abs(run(name, x) - want) / unit)) <= case.ulps


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", CASES)
def test_edges(name: str, isa: str, dtype: str) -> None:
    edges = CASES[name].edges
    with instruction_set(isa):
        for copies in (1, 70):  # one by one, and in registers
            x, want = np.repeat(np.array(edges, dtype), copies, axis=0).T.copy()
            assert_same_bits(run(name, x), want)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", CASES)
def test_does_not_depend_on_position_or_alignment(name: str, isa: str, dtype: str) -> None:
    x = hard_values(50_000, dtype)
    with instruction_set(isa):
        whole = run(name, x)
        for i, n in enumerate(TAILS):
            assert_same_bits(run(name, misaligned(x[i : i + n], i % 5)), whole[i : i + n])


@pytest.mark.skipif(not {"v3", "v4"} <= set(ISAS), reason="needs x86-64-v4")
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", CASES)
def test_the_same_bits_wherever_there_is_multiply_add(name: str, dtype: str) -> None:
    found = []
    for isa in ("v3", "v4"):
        with instruction_set(isa):
            found.append(run(name, CASES[name].values(dtype)))
    assert_same_bits(*found)
