"""Large initial weights: the first cost is infinite by the formula, finite from logits, and large in both senses.

The course's assignment draws weights with deviation 10. Then the last sigmoid rounds to 0 or 1, and log(0) is infinite;
with losses that take logits, as the library's do, the cost is a large finite number and its gradient is right. Training
then begins, but units are saturated or far away. He's deviation sqrt(2/n_in) begins near ln 2 and arrives sooner.
"""

import itertools
import math

import numpy as np

import twingrad as tg
from twingrad import analysis, nn, optim
from twingrad import functional as F
from twingrad.data import Dataset
from twingrad.train import evaluate

INITS = {"zeros": nn.init.zeros, "deviation 10": nn.init.normal(10.0), "He": nn.init.he_normal}


def rings(n=600, seed=0):
    """A disc within a ring, with noise."""
    y = np.arange(n) % 2
    radius = 0.4 + 0.6 * y + 0.1 * tg.random.normal((n,), seed=seed, stream=1)
    angle = 2 * np.pi * tg.random.uniform((n,), seed=seed, stream=2)
    return Dataset(np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).astype(np.float32), y)


def network(init, activation=nn.ReLU):
    """2-10-5-1, its weights drawn by `init`."""
    widths = (2, 10, 5, 1)
    layers = [nn.Linear(a, b, init=init) for a, b in itertools.pairwise(widths)]
    return nn.Sequential(layers[0], activation(), layers[1], activation(), layers[2], seed=3)


def by_formula(model, data):
    """-mean(y log a + (1 - y) log(1 - a)), a rounded as float32 is."""
    a, y = np.asarray(F.sigmoid(model(data.x).data)), data.y[:, None]
    with np.errstate(divide="ignore"):
        return float(-np.mean(np.where(y == 1, np.log(a), np.log(1 - a))))


def draw(losses):
    """The training cost over the epochs: large_weights.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), dpi=120, layout="constrained")
    axes = figure.subplots()
    for name, values in losses.items():
        axes.semilogy(range(len(values)), values, label=name)
    axes.set(xlabel="epoch", ylabel="training cost")
    axes.legend(frameon=False)
    figure.savefig("large_weights.png")


def main():
    """First cost by formula and from logits; cost and errors after 60 epochs; tanh units that are saturated."""
    data, losses = rings(), {}
    print(f"ln 2 = {math.log(2):.4f}, the cost of saying 1/2")
    for name, init in INITS.items():
        model = network(init)
        first = evaluate(model, data).loss
        told = f"{name}: first cost by the formula {by_formula(model, data):.4f}, from logits {first:.4f}"
        history = tg.fit(model, data, optimizer=optim.Adam(lr=0.01), epochs=60, keep="last", device="cpu")
        losses[name] = [first, *(record.train_loss for record in history)]
        print(f"{told}; after 60 epochs {losses[name][-1]:.4f}, error {1 - history[-1].train_accuracy:.1%}")
        closed = analysis.signal_report(network(init, nn.Tanh), data.x).saturated
        print(f"  with tanh: {sum(map(len, closed.values()))} of 15 units saturated")
    try:
        draw(losses)
        print("picture: large_weights.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
