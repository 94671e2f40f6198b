"""Plain descent, momentum and Adam on Fashion-MNIST: how many epochs each takes to the same training loss.

A network of 784-64-10 sees 12,000 of the images in mini-batches of 128, until its training loss, measured after each
epoch, is at most 0.4. The rates are the usual ones, 0.01 for descent and momentum of 0.9, 0.001 for Adam; and because
rates decide much, the best of a row of rates for each as well, found beforehand on a seed of its own (`tuned`).
"""

import functools

import numpy as np

import twingrad as tg
from twingrad import optim
from twingrad.data import Dataset
from twingrad.train import Callback, dense

GOAL, LONGEST, EXAMPLES = 0.4, 25, 12_000
RULES = {
    "descent": lambda lr: optim.SGD(lr=lr),
    "momentum": lambda lr: optim.SGD(lr=lr, momentum=0.9),
    "Adam": lambda lr: optim.Adam(lr=lr),
}
USUAL = {"descent": 0.01, "momentum": 0.01, "Adam": 0.001}
TUNED = {"descent": 0.2, "momentum": 0.05, "Adam": 0.005}
"""The best of 1, 2 and 5 times the powers of ten, by `tuned` on seed 1000."""


class Until(Callback):
    """Ends a run whose training loss has reached the goal, and says in which epoch."""

    epochs = LONGEST + 1

    def on_evaluation(self, run, record):
        if record.train_loss <= GOAL:
            self.epochs, run.stop = record.epoch, True


@functools.cache
def everything():
    """All images, read once."""
    return tg.data.load("fashion-mnist")


def images(seed):
    """So many training images, another choice for each seed, scaled to [0, 1]."""
    whole = everything()
    index = np.sort(tg.random.permutation(60_000, seed=seed, stream=1)[:EXAMPLES])
    part = whole.take(index)
    return Dataset(part.x[:].reshape(EXAMPLES, -1).astype(np.float32) / 255, part.y)


def epochs_to_goal(seed, name, lr, data=None):
    """The first epoch after which the training loss is at most the goal; one more than the longest run if none is."""
    model, until = dense(784, 10, hidden=[64], seed=seed), Until()
    options = {"epochs": LONGEST, "batch_size": 128, "keep": "last", "device": "cpu", "seed": seed}
    tg.fit(model, data or images(seed), optimizer=RULES[name](lr), callbacks=[until], **options)
    return until.epochs


def tuned(name, seed=1000):
    """The rate of a rule that is at the goal first, and its epochs."""
    data, rates = images(seed), [a * 10.0**b for b in range(-4, 1) for a in (1, 2, 5)]
    return min((epochs_to_goal(seed, name, lr, data), lr) for lr in rates)


def measure(seed):
    """What one seed shows, as the claim `optimizers` states it."""
    data = images(seed)
    found = {f"epochs, {name}": epochs_to_goal(seed, name, USUAL[name], data) for name in RULES}
    return found | {f"epochs, {name}, tuned": epochs_to_goal(seed, name, TUNED[name], data) for name in RULES}


def draw(seed=0):
    """The training losses of a seed: optimizers.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), dpi=120, layout="constrained")
    data = images(seed)
    for axes, rates, title in zip(figure.subplots(1, 2, sharey=True), (USUAL, TUNED), ("usual", "tuned"), strict=True):
        for name, lr in rates.items():
            options = {"epochs": 12, "batch_size": 128, "device": "cpu", "seed": seed}
            history = tg.fit(dense(784, 10, hidden=[64], seed=seed), data, optimizer=RULES[name](lr), **options)
            epochs, losses = zip(*((record.epoch, record.train_loss) for record in history), strict=True)
            axes.plot(epochs, losses, label=f"{name}, {lr:g}")
        axes.axhline(GOAL, color="#999999", linewidth=0.8, linestyle="--", label="the goal")
        axes.set(xlabel="epoch", ylabel="training loss", title=f"{title} rates")
        axes.legend(frameon=False)
    figure.savefig("optimizers.png")


def main():
    """One seed; the claim `optimizers` is measured with twenty."""
    try:
        found = measure(0)
    except FileNotFoundError as error:
        print(error)
        return
    print(f"To a training loss of {GOAL}, in {LONGEST} epochs at most:")
    for name, epochs in found.items():
        print(f"{name}: {epochs if epochs <= LONGEST else f'more than {LONGEST}'}")
    try:
        draw()
        print("picture: optimizers.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
