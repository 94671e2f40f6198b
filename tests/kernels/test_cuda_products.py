"""Matrix products of the CUDA path: transposes by flags, no copy, results and gradients straight where they belong."""

from __future__ import annotations

import ctypes

import cuda_on_host
import numpy as np
import pytest

from twingrad import functional as F
from twingrad import nn, optim
from twingrad.autodiff.tape import Destination
from twingrad.fusable import fused
from twingrad.kernels.cuda import dense, norms, products

import fake_cupy

pytestmark = pytest.mark.skipif(
    cuda_on_host.compiler() is None, reason="no C++ compiler to run the CUDA sources on the host"
)


@pytest.fixture(params=["cublaslt", "cublas", "plain"])
def gpu(request, monkeypatch):
    """A GPU with cublasLt; with CuPy's binding of cuBLAS, which notes each call; and with neither."""
    cupy = cuda_on_host.stand_in(monkeypatch, cublaslt=request.param == "cublaslt")
    cupy.calls = []

    def gemm(*call):
        flags = "".join("NT"[flag] for flag in call[2:0:-1])  # of the product as it is written, not down columns
        beta = ctypes.c_float.from_address(call[13]).value
        cupy.calls.append((flags, beta, call[14]))
        cupy.computed.append(call[-2])
        fake_cupy.gemm(*call)

    cupy.computed = []
    monkeypatch.setattr(products, "_gemm", lambda: gemm if request.param == "cublas" else None)
    cupy.counts = request.param == "cublas"
    with fused("require"):
        yield cupy


def there(*shape, seed=0):
    return cuda_on_host.CUPY.asarray(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


@pytest.mark.parametrize("adds", [False, True])
@pytest.mark.parametrize(("ta", "tb"), [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize(("m", "n", "k"), [(5, 7, 3), (1, 7, 3), (5, 1, 3), (5, 7, 1), (0, 7, 3), (5, 7, 0)])
def test_products(gpu, m, n, k, ta, tb, adds):
    a, b, out = there(*((k, m) if ta else (m, k))), there(*((n, k) if tb else (k, n)), seed=1), there(m, n, seed=2)
    before = out.get()
    products.product(out, a, b, ta=ta, tb=tb, adds=adds)
    expected = (a.get().T if ta else a.get()) @ (b.get().T if tb else b.get()) + (before if adds else 0)
    np.testing.assert_allclose(out.get(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("tail", [None, F.Tail("relu"), F.Tail("relu", mask=F.Mask(0.3, 1, 2, 3))])
def test_gradients_go_into_their_destinations_overwriting_or_adding(gpu, tail):
    x, weight, bias = there(33, 12), there(70, 12, seed=1), there(70, seed=2)
    grad, _ = there(33, 70, seed=3), gpu.calls.clear()
    _, saved = dense.linear(x, weight, bias, tail=tail)
    fresh = dense.linear_backward(saved, grad, tuple(Destination(None, False) for _ in range(3)))
    flat = fake_cupy.ndarray(np.full(33 * 12 + 70 * 12 + 70, 0.5, np.float32))
    places = flat[:396].reshape(33, 12), flat[396:1236].reshape(70, 12), flat[1236:]
    for adds, before in ((True, 0.5), (False, 0.0)):
        found = dense.linear_backward(saved, grad, tuple(Destination(place, adds) for place in places))
        for place, one, expected in zip(places, found, fresh, strict=True):
            assert one is place
            np.testing.assert_allclose(place.get(), expected.get() + np.float32(before), rtol=1e-6, atol=1e-6)
    if gpu.counts:
        assert [flags for flags, _, _ in gpu.calls] == ["NT", *["NN", "TN"] * 3]
        adding = [(places[0].data.ptr, 1.0), (places[1].data.ptr, 1.0)]
        assert [(pointer, beta) for _, beta, pointer in gpu.calls[3:5]] == adding
        assert {beta for _, beta, _ in gpu.calls[:3] + gpu.calls[5:]} == {0.0}


def test_what_is_not_wanted_is_not_computed(gpu):
    _, saved = dense.linear(there(4, 3), there(5, 3), there(5))
    gpu.calls.clear()
    assert dense.linear_backward(saved, there(4, 5), (None, None, None)) == (None, None, None)
    assert gpu.calls == []


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_and_its_parameters_as_one(gpu, training):
    x, one, running = there(9, 4), there(4, seed=1), (there(4, seed=2), fake_cupy.ndarray(np.ones(4, np.float32)))
    _, saved = norms.batch_norm(x, one, one, *running, training=training)
    grad = there(9, 4, seed=3)
    _, dweight, dbias, *_ = norms.batch_norm_backward(saved, grad, (None, *[Destination(None, False)] * 2, None, None))
    both = fake_cupy.ndarray(np.zeros(4, np.float32))
    into = None, Destination(both, False), Destination(both, True), None, None
    norms.batch_norm_backward(saved, grad, into)
    np.testing.assert_allclose(both.get(), dweight.get() + dbias.get(), rtol=1e-6)


def test_a_step_writes_every_gradient_into_the_flat_one(gpu):
    model = nn.Sequential(
        nn.Linear(6, 8), nn.BatchNorm(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3), nn.LayerNorm(3), seed=1
    )
    x, y = there(16, 6), fake_cupy.ndarray(np.arange(16) % 3)
    with fused("auto"):
        model(np.zeros((2, 6), np.float32))
    for parameter in model.parameters():
        assert isinstance(parameter.data, np.ndarray)
    model.to("cuda")
    step = optim.Adam(model, lr=1e-2)
    before = [parameter.data.get() for parameter in model.parameters()]
    for _ in range(2):
        loss = F.softmax_cross_entropy(model(x), y)
        step.zero_grad()
        loss.backward()
        step.step()
        weights = {model[i].weight.grad.data.ptr for i in (0, 4)}
        assert not gpu.counts or weights <= {pointer for flags, _, pointer in gpu.calls if flags == "TN"}
    assert float(loss) > 0
    for parameter, old in zip(model.parameters(), before, strict=True):
        assert isinstance(parameter.data, fake_cupy.ndarray)
        assert not np.array_equal(parameter.data.get(), old)
