"""Random sequences of whatever may be done between steps: captured and plain training stay equal bit for bit."""

import copy
import pickle

import numpy as np
import pytest

import twingrad as tg
from twingrad import nn
from twingrad.kernels import cpu

import networks

pytestmark = pytest.mark.skipif(not cpu.available(), reason=f"capture needs compiled kernels: {cpu.unavailable()}")

ACTIONS = 40


class Run:
    """A model in training, whose steps are captured where that is asked for, anew when a recording is refused."""

    def __init__(self, name, capture):
        self.capture = capture
        self.model = networks.network()
        self.optimizer = networks.OPTIMIZERS[name](self.model)
        self.renew()

    def renew(self):
        self.captured = {}
        self.plain = networks.stepper(self.model, self.optimizer)

    def step(self, n, seed, as_captured):
        x, y = networks.batch(n, self.model.flat().theta.dtype, seed=seed)
        if not (self.capture and as_captured):
            return self.plain(x, y)
        step = self.captured.setdefault(n, tg.capture(self.plain))
        try:
            return step(x, y)
        except tg.CaptureError:
            self.captured[n] = tg.capture(self.plain)
            return self.captured[n](x, y)


def step(run, rng):
    return run.step(int(rng.choice([4, 9, 16])), int(rng.integers(99)), rng.random() < 0.7)


def rate(run, rng):
    run.optimizer.lr = float(rng.choice([0.0, 1e-3, 0.05]))


def rate_function(run, rng):
    scale = float(rng.random()) * 0.1
    run.optimizer.lr = lambda step: scale / (1 + step)


def freeze(run, rng):
    parameter = run.model.parameters()[rng.integers(len(run.model.parameters()))]
    parameter.requires_grad = not parameter.requires_grad


def setting(run, rng):
    parameter = run.model.parameters()[rng.integers(len(run.model.parameters()))]
    parameter.lr_scale, parameter.decay = float(rng.random()), bool(rng.random() < 0.5)
    run.optimizer.weight_decay = float(rng.random()) * 0.1


def assign(run, rng):
    run.model[0].weight = rng.standard_normal(run.model[0].weight.shape)


def load(run, rng):
    run.model.load_state_dict(networks.network(seed=int(rng.integers(9))).state_dict())


def dtype(run, rng):
    run.model.to(dtype=np.float64 if run.model.flat().theta.dtype == np.float32 else np.float32)


def copied(run, rng):
    run.model, run.optimizer = copy.deepcopy((run.model, run.optimizer))
    run.renew()


def pickled(run, rng):
    lr, run.optimizer.lr = run.optimizer.lr, 0.1
    run.model, run.optimizer = pickle.loads(pickle.dumps((run.model, run.optimizer)))
    run.optimizer.lr = lr
    run.renew()


def mode(run, rng):
    run.model.train(not run.model.training)


def replaced(run, rng):
    setattr(run.model, "4", nn.Linear(networks.HIDDEN, networks.OUT, dtype=run.model.flat().theta.dtype))


def counter(run, rng):
    run.model[3].counter = int(rng.integers(5))


def cleared(run, rng):
    run.optimizer.zero_grad()


def stepped(run, rng):
    run.optimizer.step()


def gradient(run, rng):
    run.model[4].bias.grad = rng.standard_normal(networks.OUT)


OTHERS = (
    rate,
    rate_function,
    freeze,
    setting,
    assign,
    load,
    dtype,
    copied,
    pickled,
    mode,
    replaced,
    counter,
    cleared,
    stepped,
    gradient,
)


@pytest.mark.parametrize("name", networks.OPTIMIZERS)
@pytest.mark.parametrize("seed", range(8))
def test_captured_and_plain_training_stay_equal(name, seed):
    runs = [Run(name, capture=True), Run(name, capture=False)]
    choices = np.random.default_rng(seed)
    done = []
    for number in range(ACTIONS):
        action = step if choices.random() < 0.6 else OTHERS[choices.integers(len(OTHERS))]
        done.append(action.__name__)
        for run in runs:
            action(run, np.random.default_rng([seed, number]))
        found, expected = (networks.everything(run.model, run.optimizer) for run in runs)
        differing = [key for key in expected if found[key].tobytes() != expected[key].tobytes()]
        assert not differing, f"{differing} differ after {' '.join(done)}"
        grads = [[None if p.grad is None else p.grad.tobytes() for p in r.model.parameters()] for r in runs]
        assert grads[0] == grads[1], f"gradients differ after {' '.join(done)}"
    assert np.isfinite(runs[0].model.flat().theta).all()
