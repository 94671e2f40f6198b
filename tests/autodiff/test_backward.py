"""`backward`: where gradients arrive, seeds, and a tape that is used up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from twingrad import AutodiffError, Tensor, no_grad, xp
from twingrad import functional as F
from twingrad.xp.primitive import primitive, primitives


def leaf(values: Any, dtype: Any = np.float64) -> Tensor:
    return Tensor(np.asarray(values, dtype), requires_grad=True)


def test_gradients_add_up_until_they_are_cleared() -> None:
    x = leaf([1.0, 2.0])
    for count in (1, 2, 3):
        (x * x).sum().backward()
        assert np.array_equal(x.grad, count * np.asarray([2.0, 4.0]))
    x.grad = None
    (x * x).sum().backward()
    assert np.array_equal(x.grad, [2.0, 4.0])


def test_gradients_arrive_at_leaves_only(library: Any) -> None:
    x, constant = Tensor(library.asarray([1.0, 2.0]), requires_grad=True), Tensor(library.asarray([3.0, 4.0]))
    middle = x * constant
    middle.sum().backward()
    assert middle.grad is None
    assert constant.grad is None
    assert np.array_equal(library.numpy(x.grad), [3.0, 4.0])


@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 3)], ids=str)
def test_the_gradient_is_an_array_of_the_tensors_shape_and_dtype(shape: tuple[int, ...]) -> None:
    for dtype in (np.float32, np.float64):
        x = leaf(np.ones(shape), dtype)
        for _ in range(2):
            (x * x).sum().backward()
            assert type(x.grad) is np.ndarray
            assert (x.grad.shape, x.grad.dtype) == (shape, dtype)


SHARING = {
    "sum": lambda x, y: (x + y).sum(),
    "broadcast": lambda x, y: xp.broadcast_to(x + y, (3, 2)).sum(),
    "reshape": lambda x, y: (x.reshape(2, 1) + y.reshape(2, 1)).sum(),
    "where": lambda x, y: xp.where(np.asarray([True, True]), x, y).sum() + y.sum(),
}


@pytest.mark.parametrize("label", SHARING)
def test_every_leaf_owns_its_gradient(label: str) -> None:
    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    SHARING[label](x, y).backward()
    before = y.grad.copy()
    x.grad *= 2.0
    assert np.array_equal(y.grad, before)


def test_the_gradient_is_not_the_seed() -> None:
    seed = np.ones(2)
    x, y = leaf([1.0, 2.0]), leaf([1.0, 2.0])
    x.backward(seed)
    (y + 0.0).backward(seed)
    seed[:] = 7.0
    assert np.array_equal(x.grad, [1.0, 1.0])
    assert np.array_equal(y.grad, [1.0, 1.0])


def test_a_leaf_is_its_own_gradient() -> None:
    x = leaf(3.0)
    x.backward()
    x.backward()
    assert float(x.grad) == 2.0


@pytest.mark.parametrize("seed", [np.asarray([1.0, -2.0]), Tensor(np.asarray([1.0, -2.0]))], ids=["array", "tensor"])
def test_the_seed_is_the_cotangent(seed: Any) -> None:
    x = leaf([3.0, 4.0])
    (x * x).backward(seed)
    assert np.array_equal(x.grad, [6.0, -16.0])


def test_the_seed_is_cast_to_the_tensors_dtype() -> None:
    for f in (lambda x: x, lambda x: x * x, lambda x: F.relu(x)):
        x = leaf([3.0, 4.0], np.float32)
        f(x).backward(np.ones(2))
        assert x.grad.dtype == np.float32


def test_a_scalar_needs_no_seed_and_anything_else_one() -> None:
    x = leaf([3.0, 4.0])
    with pytest.raises(AutodiffError, match=r"shape \(2,\) needs a seed.*sum\(\) or \.mean\(\)"):
        (x * x).backward()
    with pytest.raises(AutodiffError, match=r"shape \(1,\)"):
        x[:1].backward()


BAD_SEEDS = [
    (np.ones(3), ValueError, r"\(3,\).*\(2,\)"),
    (np.ones((2, 1)), ValueError, r"\(2, 1\).*\(2,\)"),
    (np.ones(()), ValueError, r"\(\).*\(2,\)"),
    (1.0, ValueError, "float"),
    ([1.0, 2.0], TypeError, "list"),
]


@pytest.mark.parametrize(("seed", "error", "message"), BAD_SEEDS, ids=lambda v: str(v)[:20])
def test_a_seed_that_does_not_fit(seed: Any, error: type[Exception], message: str) -> None:
    x = leaf([3.0, 4.0])
    with pytest.raises(error, match=message):
        (x * x).backward(seed)
    assert x.grad is None


def test_a_seed_of_another_library() -> None:
    import array_api_strict as strict

    with pytest.raises(TypeError, match="two libraries"):
        (leaf([3.0, 4.0]) * 2).backward(strict.ones(2))


def test_a_second_backward_raises_and_names_the_operation() -> None:
    x = leaf([3.0, 4.0])
    loss = (x * x).sum()
    loss.backward()
    with pytest.raises(AutodiffError, match="through sum a second time"):
        loss.backward()
    assert np.array_equal(x.grad, [6.0, 8.0])


def test_a_shared_part_is_freed_by_the_first_backward() -> None:
    x = leaf([3.0, 4.0])
    square = x * x
    first, second = square.sum(), (square * 2.0).sum()
    first.backward()
    with pytest.raises(AutodiffError, match="through multiply a second time"):
        second.backward()


def test_backward_of_what_was_not_recorded() -> None:
    with no_grad():
        out = leaf(2.0) * 2.0
    for unrecorded in (out, Tensor(np.asarray(1.0)), leaf(1.0).detach(), xp.sign(leaf(1.0))):
        with pytest.raises(AutodiffError, match="nothing was recorded"):
            unrecorded.backward()


NOT_FLOATING = [np.asarray([1, 2]), np.asarray([True]), np.asarray([1j]), np.asarray(1, np.uint8)]


@pytest.mark.parametrize("data", NOT_FLOATING, ids=lambda a: str(a.dtype))
def test_only_floating_tensors_require_a_gradient(data: Any) -> None:
    with pytest.raises(TypeError, match=f"floating dtype, got {data.dtype}"):
        Tensor(data, requires_grad=True)
    assert not Tensor(data).requires_grad


@pytest.mark.parametrize("data", [[1.0], (1.0,), 1.0, "text", {}], ids=lambda d: type(d).__name__)
def test_a_tensor_wraps_arrays_only(data: Any) -> None:
    with pytest.raises(TypeError, match="expected an array"):
        Tensor(data)
    with pytest.raises(TypeError, match=r"detach\(\)"):
        Tensor(leaf(1.0))


def test_an_argument_without_a_rule_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(primitives, "hypot", ())
    hypot = primitive("hypot", lambda g, out, x, y: g * x / out)
    x, y = leaf(3.0), leaf(4.0)
    assert float(hypot(x, y.detach())) == 5.0
    with pytest.raises(AutodiffError, match=r"hypot is not differentiable in its argument 1; detach\(\) it"):
        hypot(x, y).backward()
