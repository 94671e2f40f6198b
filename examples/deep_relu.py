"""Thirty hidden ReLU layers: He's initialisation trains them; weights of deviation 1 explode, of deviation 0.01 vanish.

A layer of n inputs multiplies the variance of what passes through it by n/2 times the variance of its weights: 1 with
He's 2/n; 16 with deviation 1 and n = 32, so that deviations grow by 4^30 = 1e18 in thirty layers; with 0.01 they shrink
by 0.04^30 = 1e-42, where float32, whose least number is 1e-45, has hardly a digit left. That is in expectation: most
networks as narrow as this one come out lower, with He's weights too.
"""

import contextlib

import numpy as np

import twingrad as tg
from twingrad import nn, optim
from twingrad.train import Diverged, evaluate

DEPTH, WIDTH, EPOCHS = 30, 32, 40
STARTS = {
    "He": nn.init.he_normal,
    "deviation 1": nn.init.normal(1.0),
    "deviation 0.01": nn.init.normal(0.01),
}


def network(init, seed):
    """64, then 30 times 32, then 10."""
    layers = [nn.Linear(64, WIDTH, init=init), nn.ReLU()]
    for _ in range(DEPTH - 1):
        layers += [nn.Linear(WIDTH, WIDTH, init=init), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(WIDTH, 10, init=init), seed=seed)


def accuracy(init, seed):
    """On the test digits after training, at the best of the evaluations on the dev digits."""
    data = tg.data.load("digits").split(seed=seed)
    model = network(init, seed)
    with contextlib.suppress(Diverged):  # the model is then its best before that, if there was any
        tg.fit(model, data, optimizer=optim.Adam(lr=1e-3), epochs=EPOCHS, device="cpu", seed=seed)
    return evaluate(model, data.test).accuracy


def measure(seed):
    """What one seed shows, as the claim `deep_relu` states it."""
    return {f"accuracy, {name}": accuracy(init, seed) for name, init in STARTS.items()}


def deviations(init):
    """Of what comes out of each hidden layer, before training."""
    x = tg.xp.asarray(tg.data.load("digits").x[:200])
    found = []
    for layer in network(init, 0):
        x = layer(x)
        if isinstance(layer, nn.ReLU):
            found.append(float(np.asarray(x.numpy(), np.float64).std()))
    return found


def draw():
    """The deviations by layer: deep_relu.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
    axes = figure.subplots()
    for name, init in STARTS.items():
        axes.semilogy(range(1, DEPTH + 1), [value or np.nan for value in deviations(init)], label=name)
    axes.set(xlabel="hidden layer", ylabel="deviation of the activations")
    axes.legend(frameon=False)
    figure.savefig("deep_relu.png")


def main():
    """Deviations at the thirtieth layer, then what training comes to; the claim is measured with twenty seeds."""
    for name, init in STARTS.items():
        print(f"{name}: deviation {deviations(init)[-1]:.3g} after {DEPTH} layers")
    for name, value in measure(0).items():
        print(f"{name}: {value:.2%}")
    try:
        draw()
        print("picture: deep_relu.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
