"""Ensembles on Fashion-MNIST: five independent models, and five snapshots of one run, against single ones.

Networks of 784-64-10 learn from 6,000 of the images, another choice for each seed, and are tested on the 10,000 test
images. Five of them begin with different weights and train for 20 epochs each. The snapshots are the ends of five
cycles of 10 epochs, in each of which a cosine takes the learning rate to 0: half the work. Both answer by the mean of
probabilities.
"""

import functools

import numpy as np

import twingrad as tg
from twingrad import optim
from twingrad.data import Dataset
from twingrad.optim.schedules import Cosine, CosineRestarts
from twingrad.train import Ensemble, Snapshots, dense, evaluate

EXAMPLES, MEMBERS, EPOCHS, CYCLE, BATCH, LR = 6_000, 5, 20, 10, 100, 0.01


@functools.cache
def images():
    """All images as rows in [0, 1], the last 10,000 for the test; read once."""
    found = tg.data.load("fashion-mnist")
    return Dataset(np.asarray(found.x[:], np.float32).reshape(len(found), -1) / 255, found.y, found.classes)


def train(data, seed, lr, epochs, callbacks=()):
    """One network."""
    model = dense(784, 10, hidden=[64], seed=seed)
    options = {"epochs": epochs, "batch_size": BATCH, "keep": "last", "train_loss": "steps", "seed": seed}
    tg.fit(model, data, optimizer=optim.Adam(lr=lr), callbacks=callbacks, device="cpu", **options)
    return model


def models(seed, epochs=EPOCHS, cycle=CYCLE):
    """Five independent models and the snapshots of one run, as two ensembles by name, and the test images."""
    data, steps = images(), EXAMPLES // BATCH
    part = data.take(np.sort(tg.random.permutation(60_000, seed=seed, stream=1)[:EXAMPLES]))
    lr = Cosine(LR, length=epochs * steps)
    independent = Ensemble([train(part, 1000 * seed + k, lr, epochs) for k in range(MEMBERS)])
    keep = Snapshots(cycle)
    restarts = CosineRestarts(LR, length=cycle * steps)
    last = train(part, 1000 * seed + MEMBERS, restarts, MEMBERS * cycle, [keep])
    return {"models": independent, "snapshots": keep.ensemble(last)}, data.take(slice(60_000, None))


def error(model, test):
    """Its share of wrong answers."""
    return 1 - evaluate(model, test).accuracy


def errors(ensembles, test):
    """Of each ensemble the error, and its members' mean, least and last."""
    told = {}
    for name, ensemble in ensembles.items():
        members = [error(member, test) for member in ensemble]
        told[f"error, ensemble of {name}"] = error(ensemble, test)
        told |= {f"error, mean of {name}": np.mean(members), f"error, best of {name}": min(members)}
        told[f"error, last of {name}"] = members[-1]
    return told


def measure(seed):
    """What one seed shows, as the claim `ensembles` states it."""
    return errors(*models(seed))


def draw(ensembles, test):
    """Errors of ensembles of the first one, two, ... members: ensembles.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), dpi=120, layout="constrained")
    axes, sizes = figure.subplots(), range(1, MEMBERS + 1)
    for name, ensemble in ensembles.items():
        members = list(ensemble)
        (line,) = axes.plot(sizes, [error(Ensemble(members[:n]), test) for n in sizes], label=name)
        axes.plot(sizes, [error(member, test) for member in members], ".", color=line.get_color())
    axes.set(xlabel="members; dots: each alone", ylabel="test error", xticks=sizes)
    axes.legend(frameon=False)
    figure.savefig("ensembles.png")


def main():
    """One seed; the claim `ensembles` is measured with twenty."""
    try:
        found = models(0)
    except FileNotFoundError as missing:
        print(missing)
        return
    for name, share in errors(*found).items():
        print(f"{name}: {share:.2%}")
    try:
        draw(*found)
        print("picture: ensembles.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
