"""Weighted, soft and missing targets, and the losses of regression: against PyTorch, the course's numbers, by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import twingrad as tg
from twingrad import Tensor
from twingrad import functional as F

from kernels_here import no_kernels
from numerics import central_differences, relative_error

REDUCTIONS = ("mean", "sum", "none")
N, C = 33, 5
RNG = np.random.default_rng(3)
LOGITS, CLASSES = RNG.normal(0.0, 3.0, (N, C)), RNG.integers(0, C, N)
SOFT, CLASS_WEIGHT, EXAMPLE_WEIGHT = RNG.dirichlet(np.ones(C), N), RNG.random(C) + 0.1, RNG.random(N) + 0.1
LABELS, PAIRS = RNG.integers(0, 2, (N, C)), RNG.random((C, 2)) + 0.1


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch", reason="PyTorch is the oracle of losses; it comes with the extra `oracle`")


def both(loss: Any, *args: Any, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    """The loss at float64 logits and its gradient for ones."""
    x = Tensor(LOGITS, requires_grad=True)
    out = loss(x, *args, **options)
    out.backward(np.ones(out.shape))
    return np.asarray(out.data), x.grad


def theirs(torch: Any, loss: Any) -> tuple[np.ndarray, np.ndarray]:
    x = torch.tensor(LOGITS, requires_grad=True)
    out = loss(x)
    out.backward(torch.ones_like(out))
    return out.detach().numpy(), x.grad.numpy()


def assert_close(found: tuple[Any, ...], expected: tuple[Any, ...]) -> None:
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape
        assert relative_error(a, b) <= 1e-14


@pytest.mark.oracle
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
def test_class_weights_against_torch(torch: Any, weighted: bool, reduction: str, path: str) -> None:
    weight = CLASS_WEIGHT if weighted else None
    given = None if weight is None else torch.tensor(weight)
    loss = lambda x: torch.nn.functional.cross_entropy(x, torch.tensor(CLASSES), given, reduction=reduction)  # noqa: E731
    expected = theirs(torch, loss)
    assert_close(both(F.softmax_cross_entropy, CLASSES, class_weight=weight, reduction=reduction), expected)
    for kind in ("int64", "bool", "float32"):
        one_hot = np.eye(C)[CLASSES].astype(kind if path == "never" else "float64")
        assert_close(both(F.softmax_cross_entropy, one_hot, weight, reduction=reduction), expected)


@pytest.mark.oracle
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
def test_soft_targets_against_torch(torch: Any, weighted: bool, reduction: str, path: str) -> None:
    """With class weights PyTorch's mean divides by N, ours by the weights: theirs is then made of the sum."""
    weight = CLASS_WEIGHT if weighted else None
    ours_by_weights = weighted and reduction == "mean"
    scale = 1 / (SOFT @ CLASS_WEIGHT).sum() if ours_by_weights else 1.0
    how = "sum" if ours_by_weights else reduction
    given = None if weight is None else torch.tensor(weight)
    loss = lambda x: torch.nn.functional.cross_entropy(x, torch.tensor(SOFT), given, reduction=how) * scale  # noqa: E731
    assert_close(both(F.softmax_cross_entropy, SOFT, weight, reduction=reduction), theirs(torch, loss))


def test_example_weights_divide_by_their_sum(path: str) -> None:
    each = np.asarray(F.softmax_cross_entropy(LOGITS, CLASSES, reduction="none"))
    weights = EXAMPLE_WEIGHT * CLASS_WEIGHT[CLASSES]
    found = F.softmax_cross_entropy(LOGITS, CLASSES, CLASS_WEIGHT, EXAMPLE_WEIGHT)
    assert float(found) == pytest.approx(np.sum(each * weights) / np.sum(weights), rel=1e-14)
    twice = F.softmax_cross_entropy(LOGITS, CLASSES, example_weight=np.where(np.arange(N) < 10, 2.0, 0.0))
    assert float(twice) == pytest.approx(each[:10].mean(), rel=1e-14)


@pytest.mark.oracle
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("target", [LABELS, LABELS.astype(float), SOFT], ids=["integers", "floats", "soft"])
def test_binary_cross_entropy_against_torch(torch: Any, target: Any, reduction: str, path: str) -> None:
    wide = torch.tensor(target, dtype=torch.float64)
    name = torch.nn.functional.binary_cross_entropy_with_logits
    assert_close(
        both(F.binary_cross_entropy, target, reduction=reduction),
        theirs(torch, lambda x: name(x, wide, reduction=reduction)),
    )
    how = "sum" if reduction == "mean" else reduction
    weights = np.stack([np.ones(C), CLASS_WEIGHT], axis=1)
    expected = theirs(torch, lambda x: name(x, wide, pos_weight=torch.tensor(CLASS_WEIGHT), reduction=how))
    assert_close(both(F.binary_cross_entropy, target, weights, reduction=how), expected)


@pytest.mark.oracle
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("ours", ["mean_squared_error", "mean_absolute_error"])
def test_errors_against_torch(torch: Any, ours: str, reduction: str, path: str) -> None:
    name = getattr(torch.nn.functional, {"mean_squared_error": "mse_loss", "mean_absolute_error": "l1_loss"}[ours])
    target = RNG.normal(size=(N, C))
    target[::4] = LOGITS[::4]
    expected = theirs(torch, lambda x: name(x, torch.tensor(target), reduction=reduction))
    assert_close(both(getattr(F, ours), target, reduction=reduction), expected)


def test_a_binary_loss_is_the_softmax_of_two_classes(path: str) -> None:
    z, y = LOGITS[:, 0].copy(), LABELS[:, 0].copy()
    pair = np.stack([np.zeros(N), z], axis=1)
    for weights in (None, CLASS_WEIGHT[:2]):
        one, two = F.binary_cross_entropy(z, y, weights), F.softmax_cross_entropy(pair, y, weights)
        assert float(one) == pytest.approx(float(two), rel=1e-14)


def test_missing_labels_of_the_course(path: str) -> None:
    """Logits 0, labels [[1, 0, ?, 1], [?, 1, 0, ?]]: 5 ln 2 summed, over 2 examples, over 5 labels."""
    y = np.asarray([[1, 0, math.nan, 1], [math.nan, 1, 0, math.nan]])
    mask = ~np.isnan(y)
    for target, given in ((y, None), (y, mask), (np.where(mask, y, 0).astype(np.int64), mask)):
        x = Tensor(np.zeros((2, 4)), requires_grad=True)
        total = F.binary_cross_entropy(x, target, mask=given, reduction="sum")
        assert [float(total), float(total) / 2] == pytest.approx([3.465736, 1.732868], abs=5e-7)
        mean = F.binary_cross_entropy(x, target, mask=given)
        assert float(mean) == pytest.approx(0.693147, abs=5e-7)
        mean.backward()
        assert np.array_equal(x.grad, np.where(mask, 0.5 - np.nan_to_num(y), 0) / 5)
        each = F.binary_cross_entropy(x, target, mask=given, reduction="none")
        assert np.array_equal(np.asarray(each.data) == 0, ~mask)


def test_softmax_loss_of_the_course(path: str) -> None:
    """yhat (0.3, 0.2, 0.1, 0.4), class 1: ln 5, dZ (0.3, -0.8, 0.1, 0.4); and two classes: sigma(1.5)."""
    for target in (np.asarray([1]), np.asarray([[0.0, 1.0, 0.0, 0.0]])):
        z = Tensor(np.log(np.asarray([[0.3, 0.2, 0.1, 0.4]])), requires_grad=True)
        loss = F.softmax_cross_entropy(z, target)
        loss.backward()
        assert float(loss) == pytest.approx(1.6094379, abs=5e-8)
        assert z.grad[0].tolist() == pytest.approx([0.3, -0.8, 0.1, 0.4], rel=1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logits_of_ten_thousand(dtype: str, path: str) -> None:
    z = np.asarray([1e4, -1e4, 1e4, -1e4], dtype)
    x = Tensor(z, requires_grad=True)
    each = F.binary_cross_entropy(x, np.asarray([1.0, 0.0, 0.0, 1.0], dtype), reduction="none")
    assert each.numpy().tolist() == [0.0, 0.0, 1e4, 1e4]
    each.backward(np.ones(4, dtype))
    assert x.grad.tolist() == [0.0, 0.0, 1.0, -1.0]
    x = Tensor(z.reshape(1, 4), requires_grad=True)
    soft = F.softmax_cross_entropy(x, np.asarray([[0.5, 0.5, 0.0, 0.0]], dtype))
    soft.backward()
    assert float(soft) == pytest.approx(math.log(2) + 1e4, rel=1e-6)
    assert x.grad[0].tolist() == [0.0, -0.5, 0.5, 0.0]


@pytest.mark.parametrize("name", ["binary_cross_entropy", "mean_squared_error", "mean_absolute_error"])
def test_gradients_by_central_differences(name: str, path: str) -> None:
    loss, options = getattr(F, name), {"example_weight": EXAMPLE_WEIGHT, "mask": SOFT > 0.1}
    if name == "binary_cross_entropy":
        options["class_weight"] = PAIRS
    found = both(loss, SOFT, **options)[1]
    assert np.allclose(
        found, central_differences(lambda z: loss(z, SOFT, **options), [LOGITS], np.ones(()))[0], atol=1e-9
    )


@pytest.mark.parametrize("name", ["binary_cross_entropy", "mean_squared_error", "mean_absolute_error"])
def test_a_column_of_predictions_beside_a_row_of_targets(name: str, path: str) -> None:
    """One output and one target each: pairs, not the (N, N) of broadcasting."""
    x, y, mask = LOGITS[:, :1].copy(), SOFT[:, 0].copy(), SOFT[:, 1] > 0.1
    for given in (None, mask):
        column, row = Tensor(x, requires_grad=True), Tensor(x.ravel(), requires_grad=True)
        losses = [getattr(F, name)(z, y, example_weight=EXAMPLE_WEIGHT, mask=given) for z in (column, row)]
        for loss in losses:
            loss.backward()
        assert float(losses[0]) == float(losses[1])
        assert column.grad.shape == (N, 1)
        assert np.array_equal(column.grad[:, 0], row.grad)


def test_the_slope_at_zero(path: str) -> None:
    x = Tensor(np.zeros(3), requires_grad=True)
    F.binary_cross_entropy(x, np.asarray([0.0, 0.25, 1.0]), reduction="sum").backward()
    assert x.grad.tolist() == [0.5, 0.25, -0.5]
    x = Tensor(np.zeros(1), requires_grad=True)
    F.mean_absolute_error(x, np.zeros(1)).backward()
    assert x.grad.tolist() == [0.0]


CALLS = {
    "soft": lambda a: F.softmax_cross_entropy(a(LOGITS), a(SOFT), a(CLASS_WEIGHT), a(EXAMPLE_WEIGHT)),
    "binary": lambda a: F.binary_cross_entropy(a(LOGITS), a(LABELS), a(PAIRS), a(EXAMPLE_WEIGHT), a(SOFT > 0.1)),
    "squared": lambda a: F.mean_squared_error(a(LOGITS), a(SOFT), a(EXAMPLE_WEIGHT), a(SOFT > 0.1)),
    "absolute": lambda a: F.mean_absolute_error(a(LOGITS), a(SOFT), a(EXAMPLE_WEIGHT)),
}


@pytest.mark.parametrize("call", CALLS)
def test_every_library(call: str, library: Any) -> None:
    found = library.numpy(CALLS[call](library.asarray))
    assert found.dtype == library.floats[-1]
    assert relative_error(found, CALLS[call](np.asarray)) <= library.tolerance()


NUMBERS = ((F.binary_cross_entropy, LABELS), (F.mean_squared_error, SOFT), (F.mean_absolute_error, SOFT))
NOTHING = {"example_weight": np.zeros(N)}, {"mask": np.zeros((N, C), bool)}
OVER_NOTHING = {
    **{f"{f.__name__} {i}": (f, t, w) for f, t in NUMBERS for i, w in enumerate(NOTHING)},
    "classes": (F.softmax_cross_entropy, CLASSES, NOTHING[0]),
    "classes of weight 0": (F.softmax_cross_entropy, CLASSES, {"class_weight": np.zeros(C)}),
    "soft": (F.softmax_cross_entropy, SOFT, NOTHING[0]),
}


@pytest.mark.parametrize("row", OVER_NOTHING.values(), ids=OVER_NOTHING)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_mean_over_nothing_is_zero_and_so_is_its_gradient(path: str, row: Any, reduction: str) -> None:
    loss, target, weights = row
    x = Tensor(LOGITS, requires_grad=True)
    value = loss(x, target, **weights, reduction=reduction)
    value.backward()
    assert float(value) == 0.0
    assert np.array_equal(x.grad, np.zeros((N, C)))


def test_a_mean_over_weights_of_zero_hides_no_nan(path: str) -> None:
    logits = np.where(np.arange(N)[:, None] == 1, np.nan, LOGITS)
    assert math.isnan(F.softmax_cross_entropy(logits, CLASSES, example_weight=np.zeros(N)))


@pytest.mark.skipif(no_kernels() is not None, reason=str(no_kernels()))
def test_the_kernels_give_no_gradient_for_targets_and_say_so() -> None:
    target = Tensor(SOFT, requires_grad=True)
    with tg.fused("never"):
        F.mean_squared_error(Tensor(LOGITS, requires_grad=True), target).backward()
        assert target.grad is not None
    for loss in (F.mean_squared_error, F.softmax_cross_entropy):
        out = loss(Tensor(LOGITS, requires_grad=True), target)
        with pytest.raises(tg.AutodiffError, match=f"{loss.name} gives no gradient for target; detach"):
            out.backward()


Z, T = np.zeros((3, 4)), np.asarray([0, 1, 3])
BAD = [
    (lambda: F.softmax_cross_entropy(Z, np.full((3, 4), 0.3)), ValueError, "rows of probabilities"),
    (lambda: F.softmax_cross_entropy(Z, np.eye(4)[T] * [[2, -1, 0, 1]]), ValueError, "rows of probabilities"),
    (lambda: F.softmax_cross_entropy(Z, np.full((3, 4), np.nan)), ValueError, "rows of probabilities"),
    (lambda: F.softmax_cross_entropy(Z, np.ones((3, 4), complex)), TypeError, "real numbers .* complex128"),
    (lambda: F.softmax_cross_entropy(Z, T, np.ones(3)), ValueError, r"class_weight as an array of shape \(4,\), got"),
    (lambda: F.softmax_cross_entropy(Z, T, [1.0] * 4), ValueError, r"class_weight as an array .* got a list"),
    (
        lambda: F.softmax_cross_entropy(Z, T, None, np.ones(4)),
        ValueError,
        r"example_weight .* \(3,\), got shape \(4,\)",
    ),
    (lambda: F.softmax_cross_entropy(Z, T, None, -np.ones(3)), ValueError, "finite and at least 0"),
    (lambda: F.softmax_cross_entropy(Z, T, np.full(4, np.nan)), ValueError, "finite and at least 0"),
    (lambda: F.softmax_cross_entropy(Z, T, np.full(4, np.inf)), ValueError, "finite and at least 0"),
    (lambda: F.softmax_cross_entropy(Z, T, np.ones(4, "f4")), TypeError, "float64; got float32"),
    (lambda: F.binary_cross_entropy(Z, np.full((3, 4), 1.5)), ValueError, "targets 0, 1 or probabilities"),
    (lambda: F.binary_cross_entropy(Z, -np.eye(3, 4, dtype=int)), ValueError, "targets 0, 1 or probabilities"),
    (lambda: F.binary_cross_entropy(Z, Z, np.ones(3)), ValueError, r"class_weight as an array of shape \(2,\)"),
    (lambda: F.binary_cross_entropy(Z, Z, mask=Z), ValueError, r"mask of booleans .* \(3, 4\).*float64"),
    (lambda: F.binary_cross_entropy(Z, Z, mask=np.ones(3, bool)), ValueError, "mask of booleans"),
    (lambda: F.mean_squared_error(Z[:, 0], Z[:, :1]), ValueError, r"\(3,\) and \(3, 1\); reshape one of them: broadc"),
    (lambda: F.mean_squared_error(Z[:2, 0], Z[:, 0]), ValueError, r"\(2,\) and \(3,\)$"),
    (lambda: F.mean_absolute_error(Z, Z.astype(complex)), TypeError, "real targets, got complex128"),
    (lambda: F.mean_absolute_error(T, T), TypeError, "floating predictions, got int64"),
    (lambda: F.mean_absolute_error(Z[0, 0], Z[0, 0]), (ValueError, TypeError), "one shape"),
    (lambda: F.mean_squared_error(Z, Z, reduction="avg"), ValueError, "mean, sum, none; got 'avg'"),
    (
        lambda: F.mean_squared_error(Z[:0], Z[:0]),
        ValueError,
        r'no mean over nothing, got shape \(0, 4\); reduction="sum"',
    ),
    (lambda: F.binary_cross_entropy(Z[:, :0], Z[:, :0]), ValueError, r"binary cross-entropy has no mean .* \(3, 0\)"),
    (lambda: F.softmax_cross_entropy(Z[:0], T[:0]), ValueError, r"softmax cross-entropy has no mean .* \(0, 4\)"),
    (lambda: F.mean_squared_error(Z, Z, np.ones((3, 1))), ValueError, r"example_weight as an array of shape \(3,\)"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_bad_input(call: Any, error: Any, message: str, path: str) -> None:
    with pytest.raises(error, match=message):
        call()
