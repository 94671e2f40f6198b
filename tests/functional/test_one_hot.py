"""One-hot, hardmax and smoothed labels, on every library and against PyTorch and scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import twingrad as tg
from twingrad import Tensor, optim
from twingrad import functional as F
from twingrad.random import normal

from libraries import Library

Z = [5.0, 2.0, -1.0, 3.0]


def test_hardmax_of_the_course(library: Library) -> None:
    assert library.numpy(F.hardmax(library.asarray(Z))).tolist() == [1.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_hardmax_is_the_one_hot_of_the_argmax(library: Library, axis: int) -> None:
    x = normal((3, 4, 5), seed=1, stream=0).round(0)  # with ties
    found = library.numpy(F.hardmax(library.asarray(x), axis=axis))
    assert (found.sum(axis=axis) == 1).all()
    assert np.array_equal(found.argmax(axis=axis), x.argmax(axis=axis))
    assert found.dtype == library.floats[-1]


def test_hardmax_is_the_limit_of_softmax() -> None:
    x = np.asarray(Z)
    assert np.abs(F.softmax(500.0 * x) - F.hardmax(x)).max() < 1e-200
    assert isinstance(F.hardmax(Tensor(x, requires_grad=True)), Tensor)
    assert not F.hardmax(Tensor(x, requires_grad=True)).requires_grad


def test_class_k_is_the_kth_unit_vector(library: Library) -> None:
    """none [1 0 0], dog [0 1 0], cat [0 0 1]."""
    found = F.one_hot(library.asarray(np.asarray([0, 1, 2], np.int32)), 3)
    assert np.array_equal(library.numpy(found), np.eye(3))
    assert library.numpy(F.one_hot(library.asarray(np.zeros((2, 3), np.int64)), 4)).shape == (2, 3, 4)
    narrow = F.one_hot(library.asarray(np.asarray([127], np.int8)), 300)
    assert library.numpy(narrow).argmax() == 127


@pytest.mark.oracle
def test_one_hot_as_pytorch_does() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch (extra `oracle`) is not installed")
    labels = np.arange(20) * 7 % 5
    found = F.one_hot(labels, 6, dtype=np.int64)
    assert np.array_equal(found, torch.nn.functional.one_hot(torch.from_numpy(labels), 6).numpy())
    assert found.dtype == np.int64


@pytest.mark.oracle
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_smoothed_labels_are_pytorchs(smoothing: float, path: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch (extra `oracle`) is not installed")
    z, y = normal((20, 5), seed=2, stream=0), np.arange(20) * 7 % 5
    tensor, theirs = Tensor(z, requires_grad=True), torch.tensor(z, requires_grad=True)
    loss = F.softmax_cross_entropy(tensor, F.smooth_labels(y, smoothing, 5))
    wanted = torch.nn.functional.cross_entropy(theirs, torch.from_numpy(y), label_smoothing=smoothing)
    loss.backward()
    wanted.backward()
    assert float(loss) == pytest.approx(wanted.item(), rel=1e-13)
    np.testing.assert_allclose(tensor.grad, theirs.grad.numpy(), rtol=1e-10, atol=1e-15)


def test_smoothed_labels(library: Library) -> None:
    found = library.numpy(F.smooth_labels(library.asarray(np.asarray([0, 2])), 0.3, 3))
    np.testing.assert_allclose(found, [[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]], rtol=1e-6)
    binary = library.numpy(F.smooth_labels(library.asarray([0.0, 1.0, float("nan")]), 0.2, 2))
    np.testing.assert_allclose(binary, [0.1, 0.9, np.nan], rtol=1e-6)


BAD: dict[str, tuple[Any, type[Exception], str]] = {
    "class": (lambda: F.one_hot(np.asarray([0, 3]), 3), ValueError, r"class numbers lie in \[0, 3\), got 3"),
    "negative class": (lambda: F.one_hot(np.asarray([0, -1]), 3), ValueError, r"in \[0, 3\), got -1"),
    "floats": (lambda: F.one_hot(np.asarray([0.0]), 3), TypeError, "takes integer class numbers, got float64"),
    "no classes": (lambda: F.one_hot(np.zeros(0, int), 0), ValueError, "one_hot: classes is a number from 1, got 0"),
    "half classes": (lambda: F.one_hot(np.asarray([0]), 2.5), TypeError, "one_hot: classes must be an int; got 2.5"),
    "a list": (lambda: F.hardmax([1.0, 2.0]), TypeError, "array that follows the array API standard, got list"),
    "empty axis": (lambda: F.hardmax(np.zeros((2, 0))), ValueError, r"elements along it, got shape \(2, 0\)"),
    "other classes": (
        lambda: F.smooth_labels(np.ones((4, 2)) / 2, 0.1, 3),
        ValueError,
        r"probabilities of 3 classes are \(N, 3\), got \(4, 2\)",
    ),
    "axis": (lambda: F.hardmax(np.zeros(3), axis=1), ValueError, r"hardmax over axis 1 .* got shape \(3,\)"),
    "smoothing": (lambda: F.smooth_labels(np.asarray([0]), 1.0, 2), ValueError, r"smoothing must be in \[0, 1\), got"),
    "negative": (lambda: F.smooth_labels(np.asarray([0]), -0.1, 2), ValueError, r"smoothing must be .* got -0.1"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments(case: str) -> None:
    call, error, message = BAD[case]
    with pytest.raises(error, match=message):
        call()


def test_a_captured_step_refuses_them_by_name() -> None:
    from kernels_here import no_kernels

    if no_kernels():
        pytest.skip(f"steps are captured with kernels: {no_kernels()}")
    for function in (lambda x: F.hardmax(x), lambda x: F.one_hot(Tensor(np.asarray([0])), 2)):
        with pytest.raises(tg.CaptureError, match=r"hardmax|one_hot"):
            tg.capture(function)(np.ones(3, np.float32))


def test_two_classes_are_logistic_regression() -> None:
    """The weights w1 - w0 of a softmax over two classes go where those of a sigmoid go, at half the learning rate."""
    x, y = normal((40, 3), seed=5, stream=0), np.arange(40) % 2
    pair = tg.nn.Sequential(tg.nn.Linear(3, 2, dtype=np.float64), seed=1)
    one = tg.nn.Sequential(tg.nn.Linear(3, 1, dtype=np.float64), seed=1)
    one[0].weight = np.diff(pair[0].weight.numpy(), axis=0)
    steps = [(pair, F.softmax_cross_entropy, y, 0.25), (one, F.binary_cross_entropy, y[:, None].astype(float), 0.5)]
    losses = [[], []]
    for told, (model, loss, target, lr) in zip(losses, steps, strict=True):
        optimizer = optim.SGD(model, lr=lr)
        for _ in range(50):
            optimizer.zero_grad()
            value = loss(model(x), target)
            value.backward()
            optimizer.step()
            told.append(float(value))
    np.testing.assert_allclose(*losses, rtol=1e-13)
    np.testing.assert_allclose(np.diff(pair[0].weight.numpy(), axis=0), one[0].weight.numpy(), rtol=1e-11)
    two = F.softmax(pair(x).numpy())[:, 1:]
    np.testing.assert_allclose(two, F.sigmoid(one(x).numpy()), rtol=1e-12)


@pytest.mark.oracle
def test_softmax_regression_reaches_scikit_learns_optimum() -> None:
    linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn (extra `oracle`) is not installed")
    x = normal((60, 3), seed=6, stream=0)
    y = (x @ normal((3, 4), seed=7, stream=0) + normal((60, 4), seed=8, stream=0)).argmax(axis=1)
    theirs = linear.LogisticRegression(C=1.0 / 0.6, tol=1e-10, max_iter=1000).fit(x, y)  # |w|^2/2 + C sum of losses
    ours = tg.nn.Sequential(tg.nn.Linear(3, 4, dtype=np.float64, init=tg.nn.init.zeros))
    optimizer = optim.SGD(ours, lr=0.5, momentum=0.9, weight_decay=0.6 / 60)
    for _ in range(600):
        optimizer.zero_grad()
        F.softmax_cross_entropy(ours(x), y).backward()
        optimizer.step()
    np.testing.assert_allclose(F.softmax(ours(x).numpy()), theirs.predict_proba(x), atol=1e-5)
