"""Sums and means in a captured step: NumPy's bits, whatever the shape and the threads; and their gradients."""

import numpy as np
import pytest
from test_capture_allocations import peak_of

import twingrad as tg
from twingrad import functional as F
from twingrad import nn, xp
from twingrad.kernels import cpu

import networks

pytestmark = pytest.mark.skipif(not cpu.available(), reason=f"capture needs compiled kernels: {cpu.unavailable()}")

LENGTHS = [1, 2, 7, 8, 9, 15, 17, 127, 128, 129, 136, 137, 255, 257, 1000, 8193, 16385, 100_003, 1_100_007]


def sums(x, **options):
    """xp.sum of 1 * x by the kernel of a captured step: of the recording, then of a replay."""
    step = tg.capture(lambda x: xp.sum(F.relu(x) * 0 + x, **options))
    return step(x).numpy(), step(x).numpy()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_sum_has_the_bits_of_numpy_at_every_length(dtype, threads):
    with tg.use_threads(threads):
        for n in LENGTHS:
            x = np.random.default_rng(n).standard_normal(n).astype(dtype)
            for found in sums(x):
                assert found.tobytes() == np.sum(x).tobytes(), n


SHAPES = [
    ((3, 1000), None), ((3, 1000), 1), ((3, 1000), 0), ((1000, 3), 0), ((1000, 1), 0), ((300, 200), 0),
    ((300, 200), -1), ((5, 40, 30), 1), ((5, 40, 30), (1, 2)), ((5, 40, 30), (0, 1)), ((5, 1, 30), (0, 2)),
    ((2, 3, 4, 5), (1, 2)), ((7, 9), (0, 1)), ((7, 9), ()), ((2, 40_000), 1),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("name", ["sum", "mean"])
def test_axes(name, keepdims, dtype):
    for shape, axis in SHAPES:
        x = np.random.default_rng(1).standard_normal(shape).astype(dtype)
        step = tg.capture(lambda x, axis=axis: getattr(xp, name)(F.tanh(x), axis=axis, keepdims=keepdims))
        expected = getattr(np, name)(np.asarray(F.tanh(x)), axis=axis, keepdims=keepdims)
        for found in (step(x).numpy(), step(x).numpy()):
            assert (found.shape, found.dtype) == (expected.shape, dtype), (shape, axis)
            assert found.tobytes() == expected.tobytes(), (shape, axis)


LOSSES = {
    "a mean": lambda d: (d * d).mean(),
    "a sum": lambda d: xp.sum(d * d) / 100.0,
    "means along rows, then down": lambda d: xp.mean(xp.mean(d * d, axis=1)),
    "sums down, then along": lambda d: xp.mean(xp.sum(d * d, axis=0, keepdims=True)),
    "the middle axis": lambda d: xp.mean(xp.sum(xp.reshape(d * d, (4, -1, networks.OUT)), axis=1)),
    "a mean beside a loss of its own": lambda d: xp.mean(d) + F.softmax_cross_entropy(d, np.zeros(64, np.int64)),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", LOSSES)
def test_captured_steps_that_reduce_equal_plain_ones(loss, dtype):
    def run(wrap):
        model = networks.network(dtype=dtype)
        optimizer = networks.OPTIMIZERS["adam"](model)

        def step(x, target):
            value = LOSSES[loss](model(x) - target)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            return value

        step = wrap(step)
        values = {}
        for i in range(4):
            x, _ = networks.batch(64, dtype, seed=i)
            values[f"loss {i}"] = step(x, np.ones((64, networks.OUT), dtype)).numpy().copy()
        return values | networks.everything(model, optimizer)

    networks.assert_same_bits(run(tg.capture), run(lambda step: step))


def test_the_gradient_of_a_parameter_that_is_summed_goes_into_the_flat_one():
    def run(wrap):
        model = nn.Module()
        model.weight = nn.Parameter(np.linspace(-1, 2, 12, dtype=np.float32).reshape(3, 4))
        optimizer = networks.OPTIMIZERS["momentum"](model)

        def step(x):
            value = xp.sum(model.weight * F.relu(x)) + xp.mean(model.weight) + xp.sum(model.weight)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            return value

        step = wrap(step)
        for i in range(4):
            step(np.random.default_rng(i).standard_normal((3, 4)).astype(np.float32))
        return networks.everything(model, optimizer)

    networks.assert_same_bits(run(tg.capture), run(lambda step: step))


def test_a_loss_of_the_user_s_own_runs_captured_in_fit():
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((64, width), dtype=np.float32) for width in (5, 2))
    data = tg.data.Dataset(x, y)

    def squared(outputs, target):
        away = outputs - target
        return (away * away).mean()

    def run(capture):
        model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 2), seed=0)
        history = tg.fit(model, data, loss=squared, capture=capture, epochs=3, batch_size=16, device="cpu", keep="last")
        return history, model.state_dict()

    (captured, one), (eager, two) = run("require"), run("never")
    assert (captured.step, captured[-1].train_loss) == ("captured", eager[-1].train_loss)
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_a_replay_of_sums_and_means_allocates_nothing():
    """In Python and NumPy; the compiled library calls no allocator."""
    model = nn.Sequential(nn.Linear(300, 200), nn.ReLU(), nn.Linear(200, 64), seed=0)
    optimizer = networks.OPTIMIZERS["adam"](model)

    def step(x, target):
        away = model(x) - target
        value = xp.mean(xp.sum(away * away, axis=1)) + xp.mean(xp.sum(away, axis=0))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        return value

    captured, rng = tg.capture(step), np.random.default_rng(0)
    batch = rng.standard_normal((200, 300), np.float32), rng.standard_normal((200, 64), np.float32)
    captured(*batch)
    assert peak_of(captured._program.run) < 512
    assert peak_of(lambda: captured(*batch)) < 4096
