"""Dropout: one mask on every library, in the backward pass too."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from twingrad import Tensor, fused, grad, xp
from twingrad import functional as F
from twingrad.random import Counter, keep_mask

from numerics import central_differences, relative_error, same_bits

KEY = {"seed": 5, "stream": 7, "step": 11}
PS = [0.0, 0.1, 0.5, 0.8, 0.999]
SHAPES = [(), (0,), (1,), (3, 5), (64,), (65,), (2, 3, 129)]


def formula(x: np.ndarray, p: float, **key: int) -> np.ndarray:
    """Kept elements times 1 / (1 - p), rounded to the dtype once; the others +0."""
    keep = keep_mask(x.shape, p=p, **(key or KEY))
    return np.where(keep, x * x.dtype.type(1.0 / (1.0 - p)), x.dtype.type(0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("p", PS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_values_and_gradients(shape: tuple[int, ...], p: float, dtype: Any, path: str) -> None:
    rng = np.random.default_rng(1)
    x, seed = rng.normal(size=shape).astype(dtype), rng.normal(size=shape).astype(dtype)
    x, seed = np.asarray(x), np.asarray(seed)
    tensor = Tensor(x, requires_grad=True)
    out = F.dropout(tensor, p=p, **KEY)
    out.backward(seed)
    assert same_bits(out.data, formula(x, p))
    assert same_bits(F.dropout(x, p=p, **KEY), formula(x, p))
    assert same_bits(tensor.grad, formula(seed, p))


def test_nothing_is_dropped_at_0(path: str) -> None:
    x = np.asarray([1.5, -0.0, np.nan, np.inf, -2.0])
    assert same_bits(F.dropout(x, p=0.0, **KEY), x)


def test_what_is_dropped_is_plus_zero(path: str) -> None:
    x = np.full(1000, -np.inf)
    x[::2] = np.nan
    dropped = F.dropout(x, p=0.5, **KEY)[~keep_mask((1000,), p=0.5, **KEY)]
    assert len(dropped) > 400
    assert same_bits(dropped, np.zeros(len(dropped)))


@pytest.mark.parametrize("p", [0.2, 0.5])
def test_the_mask_is_the_same_over_every_library(p: float, library: Any) -> None:
    x = np.random.default_rng(2).uniform(1.0, 2.0, (7, 13))
    tensor = Tensor(library.asarray(x), requires_grad=True)
    out = F.dropout(tensor, p=p, **KEY)
    keep = keep_mask(x.shape, p=p, **KEY)
    assert np.array_equal(library.numpy(out) != 0, keep)
    assert str(library.numpy(out).dtype) == library.floats[-1]
    assert relative_error(library.numpy(out), formula(x, p)) <= library.tolerance()
    out.backward(library.asarray(np.ones(x.shape)))
    assert np.array_equal(library.numpy(tensor.grad) != 0, keep)
    own = keep_mask(x.shape, p=p, **KEY, xp=library.xp, device=library.device)
    assert np.array_equal(library.numpy(own), keep)


LAYOUTS = {
    "transposed": lambda x: np.asfortranarray(x),
    "strided": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "reversed": lambda x: x[::-1][::-1].copy()[::-1][::-1],
    "unaligned": lambda x: np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(x.dtype).reshape(x.shape),
}


@pytest.mark.parametrize("label", LAYOUTS)
def test_an_elements_number_is_its_place_in_c_order_whatever_the_strides(label: str) -> None:
    x = np.random.default_rng(3).normal(size=(9, 11))
    given = LAYOUTS[label](x)
    assert np.array_equal(given, x)
    assert same_bits(F.dropout(given, p=0.4, **KEY), formula(x, 0.4))


@pytest.mark.parametrize("changed", ["seed", "stream", "step"])
def test_the_mask_depends_on_every_part_of_the_key(changed: str, path: str) -> None:
    x = np.ones(4096)
    kept = [F.dropout(x, p=0.5, **{**KEY, changed: value}) != 0 for value in (0, 1, 2**16, 2**31, 2**32 - 1)]
    for i, a in enumerate(kept):
        for b in kept[:i]:
            assert 0.45 < float(np.mean(a == b)) < 0.55


def test_the_whole_range_of_the_key(path: str) -> None:
    x = np.ones(100)
    for key in ({"seed": 2**64 - 1, "stream": 2**32 - 1, "step": 2**32 - 1}, {"seed": 2**32, "stream": 0, "step": 0}):
        assert same_bits(F.dropout(x, p=0.3, **key), formula(x, 0.3, **key))


def test_numpy_integers_are_integers(path: str) -> None:
    x, key = np.ones(100), {name: np.int64(value) for name, value in KEY.items()}
    assert same_bits(F.dropout(x, p=0.3, **key), formula(x, 0.3))


def test_a_tick_is_its_number(path: str) -> None:
    counter = Counter(11)
    assert same_bits(
        F.dropout(np.ones(100), p=0.3, seed=5, stream=7, step=counter.advance()), formula(np.ones(100), 0.3)
    )
    assert counter.value == 12


@pytest.mark.parametrize("p", [0.2, 0.5, 0.9])
def test_kept_share_and_expectation(p: float, path: str) -> None:
    n = 200_000
    out = F.dropout(np.ones(n), p=p, **KEY)
    deviation = math.sqrt(p * (1 - p) / n)
    assert abs(np.mean(out != 0) - (1 - p)) < 5 * deviation
    assert abs(np.mean(out) - 1.0) < 5 * deviation / (1 - p)


def test_fifty_ones_over_many_steps(path: str) -> None:
    """The course's example: 50 units, keep_prob 0.8, on average 40 kept and the sum still 50."""
    rows = [F.dropout(np.ones(50), p=0.2, seed=0, stream=0, step=step) for step in range(2000)]
    assert np.mean([np.count_nonzero(row) for row in rows]) == pytest.approx(40, abs=0.3)
    assert np.mean([row.sum() for row in rows]) == pytest.approx(50, abs=0.4)


def test_finite_differences_hold_with_the_counter_still(path: str) -> None:
    x, weight = np.random.default_rng(4).normal(size=(2, 6, 5))
    f: Any = lambda x: xp.sum(F.dropout(x * x, p=0.4, **KEY) * weight)  # noqa: E731
    assert relative_error(grad(f)(x), central_differences(f, [x], np.ones(()))[0]) <= 1e-8


def test_the_reference_has_a_second_derivative() -> None:
    x = np.asarray([1.0, 2.0, 3.0, 4.0])
    with fused("never"):
        inner = grad(lambda x: xp.sum(F.dropout(x * x * x, p=0.5, **KEY)))
        second = grad(lambda x: xp.sum(inner(x)))(x)
    assert np.array_equal(second, formula(6.0 * x, 0.5))


BAD = [
    ({"p": 1.0}, ValueError, r"p in \[0, 1\), got 1.0.*keep_prob"),
    ({"p": -0.1}, ValueError, r"got -0.1"),
    ({"p": math.nan}, ValueError, "got nan"),
    ({"p": 2}, ValueError, "got 2"),
    ({"seed": -1}, ValueError, r"seed must be an integer in \[0, 2\*\*64\), got -1"),
    ({"seed": 2**64}, ValueError, "seed"),
    ({"stream": 2**32}, ValueError, r"stream must be an integer in \[0, 2\*\*32\)"),
    ({"step": -1}, ValueError, "step must be"),
    ({"step": 2**32}, ValueError, "step must be"),
    ({"seed": 0.5}, TypeError, "seed must be an integer"),
    ({"seed": "7"}, TypeError, r"seed must be an integer in .* got '7'"),
    ({"step": 1.5}, TypeError, r"step must be an integer in .* got 1\.5"),
    ({"p": "0.5"}, TypeError, r"p of dropout must be a number, got '0\.5'"),
]


@pytest.mark.parametrize(("changed", "error", "message"), BAD, ids=[str(row[0]) for row in BAD])
def test_bad_input(changed: dict[str, Any], error: type[Exception], message: str, path: str) -> None:
    with pytest.raises(error, match=message):
        F.dropout(np.ones(3), **{"p": 0.5, **KEY, **changed})


def test_torch_tensors_are_refused_with_the_reason() -> None:
    torch = pytest.importorskip("torch", reason="refusing PyTorch's tensors needs PyTorch; see the extra `oracle`")
    with pytest.raises(TypeError, match=r"unsigned integers with shifts, which PyTorch's CPU tensors lack; draw with"):
        F.dropout(torch.ones(3), p=0.5, **KEY)


def test_a_numpy_number_as_p_keeps_the_dtype(path: str) -> None:
    x = np.ones(40, np.float32)
    assert same_bits(F.dropout(x, p=np.float64(0.2), **KEY), F.dropout(x, p=0.2, **KEY))
