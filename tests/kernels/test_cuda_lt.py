"""cublasLt's products and epilogues, on a stand-in that computes what NVIDIA documents: values, and who does what."""

from __future__ import annotations

import gc

import cuda_on_host
import numpy as np
import pytest

import twingrad as tg
from twingrad import functional as F
from twingrad import nn, optim
from twingrad.autodiff import Tensor
from twingrad.autodiff.tape import PASSING, Destination
from twingrad.fusable import fused
from twingrad.kernels.cuda import dense, graph, lt

import fake_cublaslt
import fake_streams

pytestmark = pytest.mark.skipif(
    cuda_on_host.compiler() is None, reason="no C++ compiler to run the CUDA sources on the host"
)


@pytest.fixture(autouse=True)
def gpu(monkeypatch):
    with fused("require"):
        yield cuda_on_host.stand_in(monkeypatch)


def there(array):
    return cuda_on_host.CUPY.asarray(array)


def drawn(*shape, seed=0, dtype=np.float32):
    found = cuda_on_host.CUPY.zeros(shape, dtype)
    found.set(np.random.default_rng(seed).normal(size=shape).astype(dtype))
    return found


def epilogues():
    return [name for name, _, _ in fake_cublaslt.calls]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("adds", [False, True])
@pytest.mark.parametrize(("ta", "tb"), [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize(("m", "n", "k"), [(5, 7, 3), (1, 7, 3), (5, 1, 3), (5, 7, 1), (130, 129, 65)])
def test_products(m, n, k, ta, tb, adds, dtype):
    a, b = drawn(*((k, m) if ta else (m, k)), dtype=dtype), drawn(*((n, k) if tb else (k, n)), seed=1, dtype=dtype)
    out = drawn(m, n, seed=2, dtype=dtype)
    expected = (a.get().T if ta else a.get()) @ (b.get().T if tb else b.get()) + (out.get() if adds else 0)
    assert lt.multiply(out, a, b, ta=ta, tb=tb, adds=adds)
    np.testing.assert_allclose(out.get(), expected, rtol=1e-5, atol=1e-5)
    assert fake_cublaslt.calls == [("DEFAULT", float(adds), out.data.ptr)]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("features", [3, 128, 130])
def test_forward_and_backward_of_a_dense_layer_with_a_relu(features, bias):
    x, weight, b = drawn(9, 5), drawn(features, 5, seed=1), drawn(features, seed=2) if bias else None
    out, saved = dense.linear(x, weight, b, tail=F.Tail("relu"))
    before = x.get() @ weight.get().T + (b.get() if bias else 0)
    np.testing.assert_allclose(out.get(), np.maximum(before, 0), rtol=1e-5, atol=1e-6)
    assert epilogues() == ["RELU_AUX_BIAS" if bias else "RELU_AUX"]
    grad = drawn(9, features, seed=3)
    into = tuple(Destination(None, False) for _ in range(3))[: 2 + bias]
    found = dense.linear_backward(saved, grad, into)
    masked = grad.get() * (before > 0)
    expected = (masked @ weight.get(), masked.T @ x.get(), masked.sum(axis=0))
    for a, e in zip(found, expected, strict=False):
        np.testing.assert_allclose(a.get(), e, rtol=1e-4, atol=1e-5)


def two_layers(batch=9, refused=()):
    """relu(x V^T + c) W^T + b, its parts and the gradients that a backward pass gives, as NumPy arrays."""
    fake_cublaslt.refused.update(refused)
    x, v, c = drawn(batch, 5), drawn(6, 5, seed=1), drawn(6, seed=2)
    w, b, grad = drawn(4, 6, seed=3), drawn(4, seed=4), drawn(batch, 4, seed=5)
    leaves = [tg.Tensor(array, requires_grad=True) for array in (x, v, c, w, b)]
    hidden = F.linear(*leaves[:3], tail=F.Tail("relu"))
    F.linear(hidden, *leaves[3:]).backward(grad)
    x, v, c, w, b, grad = (array.get() for array in (x, v, c, w, b, grad))
    before = x @ v.T + c
    through = (grad @ w) * (before > 0)
    expected = through @ v, through.T @ x, through.sum(0), grad.T @ np.maximum(before, 0), grad.sum(0)
    return [leaf.grad.get() for leaf in leaves], expected


@pytest.mark.parametrize(
    ("refused", "launched"),
    [
        ((), ["RELU_AUX_BIAS", "BIAS", "DRELU_BGRAD", "BGRADB", "DEFAULT", "DEFAULT"]),
        (("DRELU_BGRAD",), ["RELU_AUX_BIAS", "BIAS", "DEFAULT", "BGRADB", "DEFAULT", "DEFAULT"]),
        (("BGRADB",), ["RELU_AUX_BIAS", "BIAS", "DRELU_BGRAD", "DEFAULT", "DEFAULT", "DEFAULT"]),
        (("RELU_AUX_BIAS", "BIAS"), ["DEFAULT", "DEFAULT", "DEFAULT", "BGRADB", "DEFAULT", "DEFAULT"]),
    ],
)
def test_a_relu_between_layers_goes_with_their_products(refused, launched):
    found, expected = two_layers(refused=refused)
    for a, e in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, e, rtol=1e-4, atol=1e-5)
    assert epilogues() == launched


def test_a_batch_of_one_sums_nothing_along_it():
    found, expected = two_layers(batch=1)
    for a, e in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, e, rtol=1e-4, atol=1e-5)
    assert "BGRADB" not in epilogues()


def test_a_result_that_is_used_twice_has_its_relu_once():
    x, w = tg.Tensor(drawn(9, 5), requires_grad=True), tg.Tensor(drawn(5, 5, seed=1), requires_grad=True)
    bias = tg.Tensor(drawn(5, seed=2), requires_grad=True)
    hidden = F.linear(x, w, bias, tail=F.Tail("relu"))
    (F.linear(hidden, w).sum() + F.linear(hidden, w, bias).sum() + (hidden * hidden).sum()).backward()
    leaves = [tg.Tensor(leaf.data.get(), requires_grad=True) for leaf in (x, w, bias)]
    with fused("never"):
        hidden = F.relu(F.linear(*leaves))
        sums = F.linear(hidden, leaves[1]).sum() + F.linear(hidden, *leaves[1:]).sum() + (hidden * hidden).sum()
        sums.backward()
    for found, leaf in zip((x, w, bias), leaves, strict=True):
        np.testing.assert_allclose(found.grad.get(), leaf.grad, rtol=1e-4, atol=1e-5)


def test_the_gradient_of_the_relus_result_itself_is_not_masked():
    hidden = F.linear(tg.Tensor(drawn(9, 5), requires_grad=True), drawn(5, 5, seed=1), tail=F.Tail("relu"))
    weight = drawn(3, 5, seed=2)
    slope = tg.grad(lambda h: F.linear(h, weight).sum())(hidden.data)
    np.testing.assert_allclose(slope.get(), np.tile(weight.get().sum(0), (9, 1)), rtol=1e-5)
    assert epilogues()[-1] == "DEFAULT"


def test_a_biass_gradient_that_is_added_is_summed_by_a_kernel():
    x, weight, bias, grad = drawn(9, 5), drawn(4, 5, seed=1), drawn(4, seed=2), drawn(9, 4, seed=3)
    _, saved = dense.linear(x, weight, bias)
    dbias = drawn(4, seed=4)
    before = dbias.get()
    dense.linear_backward(saved, grad, (None, Destination(None, False), Destination(dbias, True)))
    np.testing.assert_allclose(dbias.get(), before + grad.get().sum(0), rtol=1e-5)
    assert epilogues() == ["BIAS", "DEFAULT"]


def test_a_vector_at_an_odd_address_is_added_by_a_kernel():
    x, weight, bias = drawn(9, 5), drawn(4, 5, seed=1), drawn(5, seed=2)[1:]
    assert bias.data.ptr % 16
    out, _ = dense.linear(x, weight, bias)
    np.testing.assert_allclose(out.get(), x.get() @ weight.get().T + bias.get(), rtol=1e-5, atol=1e-6)
    assert epilogues() == ["DEFAULT"]


def test_a_rule_that_gives_its_argument_back_sees_the_gradient_before_the_relu():
    """Its length is another once it is masked."""

    def scaled(g, out, x):
        return g / float((g * g).sum())

    kept = tg.custom_rule(scaled)(lambda values: values)

    def gradients():
        first, second = Tensor(drawn(6, 5), requires_grad=True), Tensor(drawn(4, 6, seed=1), requires_grad=True)
        hidden = kept(F.linear(drawn(9, 5, seed=2), first, tail=F.Tail("relu")))
        F.linear(hidden, second).backward(drawn(9, 4, seed=3))
        return first.grad.get(), second.grad.get()

    found = gradients()
    with fused("never"):
        expected = gradients()
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_notes_end_with_their_arrays_and_plans_give_back_their_descriptors():
    out, saved = dense.linear(drawn(9, 5), drawn(4, 5, seed=1), tail=F.Tail("relu"))
    assert dense.MASKS.of(out) is not None
    gc.collect()  # what earlier tests left
    held = len(dense.MASKS._held)
    del out, saved
    gc.collect()
    assert len(dense.MASKS._held) == held - 1
    made = len(fake_cublaslt.things)
    lt._plan.cache_clear()
    gc.collect()
    assert len(fake_cublaslt.things) <= made - 5  # a descriptor, three layouts, a preference


def test_plans_are_made_once_for_a_shape_and_an_alignment():
    for _ in range(3):
        two_layers()
    assert lt._plan.cache_info().misses <= 8
    room = there(np.zeros(5 * 9 + 1, np.float32))
    assert lt.multiply(drawn(9, 4), room[1:].reshape(9, 5), drawn(5, 4, seed=1))
    asked = [thing.values for thing in fake_cublaslt.things.values() if thing.kind == "preference"][-1]
    assert (asked[6], asked[5] >= 16, asked[7] == asked[8]) == (4, True, True)  # a is their B


@pytest.mark.parametrize("seed", range(10))
def test_replays_read_what_the_host_sent_them_however_late_they_run(gpu, monkeypatch, seed):
    world = fake_streams.World(seed)
    fake_streams.install(gpu, world)
    try:
        host, found = np.zeros(2), []
        mirror = graph.Mirror(host, there(host))
        for number in range(20):
            host[:] = number
            mirror.send()
            world.current().put(lambda: found.append(mirror.there.host.copy()))
        world.current().synchronize()
    finally:
        fake_streams.install(gpu, fake_streams.World())
    assert [array.tolist() for array in found] == [[i, i] for i in range(20)]


def test_a_plain_network_has_no_pass_for_bias_or_relu(monkeypatch):
    launched = []
    whole = dense.graph.perform
    monkeypatch.setattr(graph, "perform", lambda gpu, run, *args: (launched.append(run), whole(gpu, run, *args))[1])
    model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))
    model.to("cuda")
    optimizer = optim.Adam(model, lr=0.01)
    for _ in range(2):
        launched.clear()
        optimizer.zero_grad()
        F.softmax_cross_entropy(model(drawn(16, 5)), there(np.arange(16) % 3)).backward()
        optimizer.step()
    assert sum(isinstance(run, lt.Plan) for run in launched) == 3 + 2 + 3
    assert len(launched) == 8 + 2 + 1 + 2 + 1  # and the loss, its gradient, two sums of columns to their places, Adam
    assert Destination(None, False) == PASSING
