"""Activations, layer normalisation and embeddings: the course's numbers, special values, what they refuse."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest

import twingrad as tg
from twingrad import functional as F
from twingrad import nn
from twingrad.kernels import cpu

from kernels_here import no_kernels
from numerics import central_differences, same_bits, ulps


@pytest.fixture(params=["never", "require"])
def path(request: pytest.FixtureRequest) -> Any:
    if request.param == "require" and no_kernels():
        pytest.skip(f"the fused path cannot run: {no_kernels()}")
    with tg.fused(request.param):
        yield request.param


def slope(function: Any, x: Any) -> Any:
    x = tg.Tensor(np.asarray(x, np.float64), requires_grad=True)
    function(x).backward(np.ones(x.shape))
    return x.grad


def test_slopes_at_zero(path: str) -> None:
    assert slope(F.leaky_relu, 0.0) == 0.01
    assert slope(F.sigmoid, 0.0) == 0.25
    assert slope(F.tanh, 0.0) == 1.0


def test_tanh_is_a_shifted_and_scaled_sigmoid(path: str) -> None:
    x = np.linspace(-5, 5, 101)
    assert np.allclose(F.tanh(x), 2 * F.sigmoid(2 * x) - 1, atol=1e-15)
    assert float(F.tanh(np.asarray(0.7))) == pytest.approx(0.60436778, abs=5e-9)


def test_softmax_of_the_course(path: str) -> None:
    z = tg.Tensor(np.asarray([5.0, 2.0, -1.0, 3.0]), requires_grad=True)
    out = F.softmax(z)
    assert out.numpy().tolist() == pytest.approx([0.84203357, 0.04192238, 0.00208719, 0.11395685], abs=5e-9)
    out.backward(np.asarray([1.0, 0.0, 0.0, 0.0]))
    assert z.grad.tolist() == pytest.approx([0.13301304, -0.03530005, -0.00175749, -0.0959555], abs=6e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_special_values(dtype: str, path: str) -> None:
    x = np.asarray([math.nan, math.inf, -math.inf, 0.0, -0.0, 1e4, -1e4], dtype)
    ones = np.asarray([math.nan, 1, 0, 0.5, 0.5, 1, 0], dtype)
    assert same_bits(F.sigmoid(x), ones)
    assert same_bits(F.tanh(x), np.asarray([math.nan, 1, -1, 0.0, -0.0, 1, -1], dtype))
    tenth = np.asarray(0.1, dtype)
    expected = np.asarray([math.nan, math.inf, -math.inf, -0.0, -0.0, 1e4, np.asarray(-1e4, dtype) * tenth], dtype)
    expected[3] = 0.0
    assert same_bits(F.leaky_relu(x, negative_slope=0.1), expected)
    assert same_bits(F.softmax(np.asarray([1e4, 1e4, -1e4], dtype)), np.asarray([0.5, 0.5, 0], dtype))


@pytest.mark.skipif(no_kernels() is not None, reason=str(no_kernels()))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_units_in_the_last_place(dtype: str) -> None:
    """Against 80-bit numbers: the bounds that activations.h states."""
    sizes = np.concatenate([np.logspace(-30, 2, 5000), np.linspace(0.0, 20.0, 20_001), np.linspace(0.5, 0.75, 5001)])
    x = np.concatenate([sizes, -sizes]).astype(dtype)
    wide = x.astype(np.longdouble)
    with tg.fused("require"), np.errstate(under="ignore"):
        assert ulps(F.tanh(x), np.tanh(wide).astype(dtype)) <= 2
        assert ulps(F.sigmoid(x), (1 / (1 + np.exp(-wide))).astype(dtype)) <= 2


def test_layer_norm_of_one_example_and_of_a_large_mean(path: str) -> None:
    layer = nn.LayerNorm(4)
    expected = [-1.3416, -0.4472, 0.4472, 1.3416]
    found = layer(np.asarray([[1.0, 2.0, 3.0, 4.0]], np.float32)).numpy()[0]
    assert found.tolist() == pytest.approx(expected, abs=1e-4)
    shifted = layer(np.asarray([[1.0, 2.0, 3.0, 4.0]], np.float32) + np.float32(1e6)).numpy()[0]
    assert shifted.tolist() == pytest.approx(expected, abs=1e-4)


def test_layer_norm_gradients(path: str) -> None:
    rng = np.random.default_rng(1)
    arrays = [rng.normal(size=s) for s in ((4, 5), (5,), (5,))]
    seed = rng.normal(size=(4, 5))
    tensors = [tg.Tensor(a, requires_grad=True) for a in arrays]
    F.layer_norm(*tensors).backward(seed)
    for tensor, numeric in zip(tensors, central_differences(F.layer_norm, arrays, seed), strict=True):
        assert np.allclose(tensor.grad, numeric, atol=1e-8)


def test_repeated_rows_of_an_embedding_add_up(path: str) -> None:
    layer = nn.Embedding(4, 3)
    out = layer(np.asarray([[2, 0], [2, 2]]))
    assert out.shape == (2, 2, 3)
    assert np.array_equal(out.numpy()[0, 1], layer.weight.numpy()[0])
    out.backward(np.arange(12, dtype=np.float32).reshape(2, 2, 3))
    assert layer.weight.grad.tolist() == [[3, 4, 5], [0, 0, 0], [15, 18, 21], [0, 0, 0]]
    layer(np.asarray([1])).backward(np.ones((1, 3), np.float32))
    assert layer.weight.grad.tolist() == [[3, 4, 5], [1, 1, 1], [15, 18, 21], [0, 0, 0]]


@pytest.mark.skipif(no_kernels() is not None, reason=str(no_kernels()))
def test_the_gradient_of_an_embedding_does_not_depend_on_threads() -> None:
    rng, before = np.random.default_rng(0), cpu.threads()
    indices, seed = rng.integers(0, 5, 3000), rng.normal(size=(3000, 200)).astype(np.float32)
    found = []
    for threads in (1, 2, 3):
        cpu.set_threads(threads)
        weight = tg.Tensor(np.zeros((5, 200), np.float32), requires_grad=True)
        F.embedding(indices, weight).backward(seed)
        found.append(weight.grad.tobytes())
    cpu.set_threads(before)
    assert len(set(found)) == 1
    one_by_one = np.zeros((5, 200), np.float32)
    np.add.at(one_by_one, indices, seed)
    assert found[0] == one_by_one.tobytes()


@pytest.mark.skipif(no_kernels() is not None, reason=str(no_kernels()))
def test_a_replay_with_a_number_out_of_range_gives_nan_and_reads_nothing() -> None:
    layer = nn.Embedding(4, 3)
    look_up = tg.capture(lambda x: layer(x))
    assert np.isfinite(look_up(np.asarray([0, 3])).numpy()).all()
    assert np.isnan(look_up(np.asarray([4, 1])).numpy()).all(axis=1).tolist() == [True, False]
    assert np.isnan(look_up(np.asarray([-1, 2**40])).numpy()).all()


@pytest.mark.parametrize("name", ["leaky_relu", "sigmoid", "tanh", "softmax"])
def test_every_library(name: str, library: Any) -> None:
    x = np.linspace(-3, 3, 12).reshape(3, 4)
    found = library.numpy(getattr(F, name)(library.asarray(x)))
    assert np.allclose(found, getattr(F, name)(x), rtol=library.tolerance())


def test_layer_norm_and_embedding_over_every_library(library: Any) -> None:
    x, indices = np.linspace(-3, 3, 12).reshape(3, 4), np.asarray([[2, 0], [1, 1]])
    weight = tg.Tensor(library.asarray(x), requires_grad=True)
    out = F.embedding(library.asarray(indices), weight)
    assert np.allclose(library.numpy(out), x[indices], rtol=library.tolerance())
    out.backward(library.asarray(np.ones((2, 2, 4))))
    assert library.numpy(weight.grad).sum(axis=1).tolist() == [4.0, 8.0, 4.0]
    normed = F.layer_norm(*(library.asarray(a) for a in (x, x[0], x[1])))
    assert np.allclose(library.numpy(normed), F.layer_norm(x, x[0], x[1]), rtol=10 * library.tolerance())


X = np.zeros((2, 3))
BAD = [
    (lambda: nn.LeakyReLU(math.nan), ValueError, "LeakyReLU needs a finite negative_slope, got nan"),
    (lambda: F.leaky_relu(X, negative_slope=math.inf), ValueError, "finite negative_slope, got inf"),
    (lambda: nn.Softmax(axis=1.5), TypeError, r"axis to be an integer, got 1\.5"),
    (lambda: F.softmax(X, axis=2), ValueError, r"axis 2 .* got shape \(2, 3\)"),
    (lambda: F.softmax(np.asarray(1.0)), ValueError, r"axis -1 .* got shape \(\)"),
    (lambda: nn.LayerNorm(0), ValueError, "LayerNorm needs num_features to be a positive integer, got 0"),
    (lambda: nn.LayerNorm(3, eps=0.0), ValueError, r"LayerNorm needs eps > 0, got 0\.0"),
    (lambda: nn.LayerNorm(4)(X.astype("f4")), ValueError, r"4 features takes x of shape \(\.\.\., 4\), got \(2, 3\)"),
    (lambda: nn.LayerNorm(3)(X.astype(int)), TypeError, r"LayerNorm\(3\) takes floating input, got int64"),
    (lambda: F.layer_norm(X, X, X), ValueError, r"shape \(C,\), got \(2, 3\) and \(2, 3\)"),
    (lambda: nn.Embedding(0, 3), ValueError, "Embedding needs num_embeddings to be a positive integer, got 0"),
    (lambda: nn.Embedding(3, 4)(np.asarray([3])), ValueError, r"3 rows takes integers in \[0, 3\), got 3"),
    (lambda: nn.Embedding(3, 4)(np.asarray([-1])), ValueError, "got -1"),
    (lambda: nn.Embedding(3, 4)(np.asarray([1.0])), TypeError, "embedding takes integers, .* got float64"),
    (lambda: F.embedding(np.asarray([0]), X[0]), ValueError, r"weight of shape \(V, D\), got \(3,\)"),
    (
        lambda: F.layer_norm(X, X[0], X[0], eps=-1.0),
        ValueError,
        "layer norm: eps must be a finite number of at least 0",
    ),
    (lambda: F.layer_norm(X, X[0], X[0], eps="a"), TypeError, "layer norm: eps must be a number, got 'a'"),
    (lambda: F.leaky_relu(X, negative_slope="a"), TypeError, "leaky ReLU: negative_slope must be a number, got 'a'"),
    (lambda: F.softmax(X, axis=(0, 1)), TypeError, r"softmax: axis must be an int; got \(0, 1\)"),
    (lambda: nn.init.normal(-1.0), ValueError, r"deviation of at least 0, got -1\.0"),
    (lambda: nn.init.constant(math.nan), ValueError, "constant needs a finite number, got nan"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_bad_input(call: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_initialisers_that_are_made() -> None:
    layer = nn.Linear(200, 300, init=nn.init.normal(0.01))
    assert float(layer.weight.numpy().std()) == pytest.approx(0.01, rel=0.02)
    filled = nn.Linear(2, 2, init=nn.init.constant(0.5))
    assert (filled.weight.numpy() == 0.5).all()
    assert float(nn.Embedding(300, 200).weight.numpy().std()) == pytest.approx(1.0, rel=0.02)
    copy = pickle.loads(pickle.dumps(nn.Sequential(nn.Embedding(3, 2), nn.Linear(2, 2, init=nn.init.constant(0.5)))))
    assert (copy[1].weight.numpy() == 0.5).all()


def test_sparsity_counts_exact_zeros_of_weights() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    model[0].weight = np.asarray([[0.0, 1e-30], [-0.0, 2.0]])
    assert model.sparsity() == {"0.weight": 0.5, "2.weight": 0.0, "total": 2 / 6}
    assert nn.Sequential(nn.ReLU()).sparsity() == {"total": 0.0}


def test_the_course_network_in_one_line_each() -> None:
    model = nn.Sequential(
        nn.LeakyReLU(0.2), nn.Sigmoid(), nn.Tanh(), nn.Softmax(), nn.LayerNorm(3), nn.Embedding(5, 2), nn.Flatten()
    )
    assert [layer.describe() for layer in model] == [
        "LeakyReLU(0.2)",
        "Sigmoid()",
        "Tanh()",
        "Softmax()",
        "LayerNorm(3)",
        "Embedding(5, 2)",
        "Flatten()",
    ]
