"""Curvature beside NumPy's eigenvalues of the whole Hessian, and PyTorch's."""

import numpy as np
import pytest

import twingrad as tg
from twingrad import functional as F
from twingrad import nn, optim
from twingrad.optim import curvature


def quadratic(eigenvalues, seed=0):
    """A symmetric matrix with these eigenvalues."""
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(eigenvalues),) * 2))
    return q @ np.diag(eigenvalues) @ q.T


@pytest.mark.parametrize(
    ("eigenvalues", "kind"),
    [
        ([-2.0, 2.0], "saddle"),
        ([5.0, 1.0, 0.5, 0.1], "minimum"),
        ([-5.0, -1.0, -0.5], "maximum"),
        ([-0.5, 0.1, 3.0, 2.0], "saddle"),
        ([-8.0, 0.1, 3.0], "saddle"),
        ([0.0, 1.0, 2.0], "valley"),
    ],
)
def test_quadratics(eigenvalues, kind):
    a = quadratic(eigenvalues)
    found = curvature(lambda x: x @ (a @ x) / 2, np.ones(len(a)), tolerance=1e-6, steps=2000)
    assert (found.smallest, found.largest) == pytest.approx((min(eigenvalues), max(eigenvalues)), abs=1e-4)
    assert found.kind == kind
    v = found.along_largest[0]
    assert np.abs(a @ v - found.largest * v).max() < 1e-4
    assert np.linalg.norm(v) == pytest.approx(1)


def test_a_plane_is_flat():
    found = curvature(lambda x: tg.xp.sum(x * 3.0) + 0.0 * tg.xp.sum(x * x), np.ones(3))
    assert (found.smallest, found.largest, found.kind, found.largest_rate) == (0.0, 0.0, "flat", np.inf)


def test_the_saddle_on_every_library(library):
    found = curvature(lambda p: p[0] ** 2 - p[1] ** 2, library.asarray([1.0, 1e-6]))
    assert (found.smallest, found.largest) == pytest.approx((-2, 2), rel=1e-5)
    assert np.abs(library.numpy(found.along_smallest[0])) == pytest.approx([0, 1], abs=1e-2)


def test_descent_diverges_above_twice_the_inverse_curvature_and_not_below():
    a = quadratic([4.0, 1.0, 0.25])
    limit = curvature(lambda x: x @ (a @ x) / 2, np.ones(3), tolerance=1e-6).largest_rate
    assert limit == pytest.approx(0.5, rel=1e-4)
    for share, grows in ((0.99, False), (1.01, True)):
        x = np.ones(3)
        for _ in range(1000):
            x = x - share * limit * (a @ x)
        assert (np.linalg.norm(x) > 1) == grows


@pytest.mark.oracle
def test_a_network_beside_the_whole_hessian_of_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch (extra `oracle`) is not installed")
    model = nn.Sequential(nn.Linear(3, 4, dtype=np.float64), nn.Tanh(), nn.Linear(4, 3, dtype=np.float64), seed=1)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 3)), rng.integers(0, 3, 20)
    values = model.state_dict()

    def cost(*theta):
        return F.softmax_cross_entropy(nn.functional_call(model, dict(zip(values, theta, strict=True)), x), y)

    found = curvature(cost, tuple(values.values()), tolerance=1e-5, steps=3000)

    shapes = [value.shape for value in values.values()]
    flat = torch.tensor(np.concatenate([value.ravel() for value in values.values()]))

    def of_flat(theta):
        w1, b1, w2, b2 = (
            part.reshape(shape)
            for part, shape in zip(torch.split(theta, [int(np.prod(s)) for s in shapes]), shapes, strict=True)
        )
        out = torch.tanh(torch.tensor(x) @ w1.T + b1) @ w2.T + b2
        return torch.nn.functional.cross_entropy(out, torch.tensor(y))

    eigenvalues = np.linalg.eigvalsh(torch.autograd.functional.hessian(of_flat, flat).numpy())
    assert found.largest == pytest.approx(eigenvalues[-1], rel=1e-6)
    assert found.smallest == pytest.approx(eigenvalues[0], rel=1e-4)
    assert {name: array.tolist() for name, array in model.state_dict().items()} == {
        name: array.tolist() for name, array in values.items()
    }


@pytest.mark.parametrize("tolerance", [0, 1, -1, float("nan")])
def test_bad_tolerance(tolerance):
    with pytest.raises(ValueError, match=r"curvature: tolerance must be in \(0, 1\)"):
        curvature(lambda x: x @ x, np.ones(2), tolerance=tolerance)


def test_bad_steps_and_a_cost_that_is_not_finite():
    with pytest.raises(ValueError, match="curvature: steps must be at least 1, got 0"):
        curvature(lambda x: x @ x, np.ones(2), steps=0)
    with pytest.raises(TypeError, match=r"curvature: steps must be an int; got 1\.5"):
        curvature(lambda x: x @ x, np.ones(2), steps=1.5)
    with pytest.raises(ValueError, match="curvature: the Hessian is not finite there"):
        curvature(lambda x: (x @ x) * float("nan"), np.ones(2))


LEAVE = {
    "descent": (lambda m: optim.SGD(m, lr=0.01), 698),
    "momentum of the course": (lambda m: optim.SGD(m, lr=0.01, momentum=0.9, form="course"), 811),
    "momentum": (lambda m: optim.SGD(m, lr=0.01, momentum=0.9), 140),
    "adam": (lambda m: optim.Adam(m, lr=0.01), 77),
}


class Point(nn.Module):
    """A place on the saddle, beside the ridge where the gradient is nearly 0."""

    def __init__(self):
        self.p = nn.Parameter(np.asarray([1.0, 1e-6]))


@pytest.mark.parametrize("name", LEAVE)
def test_steps_to_leave_the_saddle(name):
    make, expected = LEAVE[name]
    model = Point()
    optimizer, steps = make(model), 0
    while abs(model.p.numpy()[1]) < 1:
        model.p.grad = model.p.numpy() * [2, -2]
        optimizer.step()
        steps += 1
    assert steps == expected


def test_functional_call():
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm(2), nn.ReLU(), nn.Linear(2, 1), seed=0).eval()
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    other = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm(2), nn.ReLU(), nn.Linear(2, 1), seed=7).eval()
    expected, before = other(x).numpy(), model(x).numpy()
    parameters = {name: p.numpy() for name, p in other.named_parameters().items()}
    assert np.array_equal(nn.functional_call(model, parameters, x).numpy(), expected)
    assert np.array_equal(model(x).numpy(), before)


def test_functional_call_with_tied_weights():
    class Tied(nn.Module):
        def __init__(self):
            self.a, self.b = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
            self.b.weight = self.a.weight

        def forward(self, x):
            return self.b(self.a(x))

    double = np.eye(2, dtype=np.float32) * 2
    x = np.ones((1, 2), np.float32)
    assert nn.functional_call(Tied(), {"a.weight": double}, x).numpy().tolist() == [[4, 4]]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"9.weight": np.ones((1, 3))}, "no parameter '9.weight'; it has weight, bias"),
        ({"weight": np.ones((3, 1))}, r"weight is an array of shape \(1, 3\), got \(3, 1\)"),
        ({"weight": [[1.0, 2.0, 3.0]]}, r"weight is an array of shape \(1, 3\), got list"),
    ],
)
def test_functional_call_refuses(parameters, message):
    with pytest.raises(ValueError, match=message):
        nn.functional_call(nn.Linear(3, 1), parameters, np.ones((1, 3), np.float32))
