"""Strategy: from the table of errors to what to do next, on numbers of the course and on a case of two sources.

There are many clean scans of digits, but the system is for pictures taken on the way: turned, darkened, noisy. Dev and
test are of such pictures alone; most training data are scans. The table tells a large mismatch, and its remedy, to make
training data more like dev's, is tried: scans that are turned, darkened and made noisy too. Then the table again.
"""

import numpy as np

import twingrad as tg
from twingrad import augment, optim
from twingrad.analysis import diagnose
from twingrad.data import Dataset
from twingrad.train import dense, evaluate

ON_THE_WAY = augment.Compose(
    augment.Rotate(25), augment.Contrast(0.5), augment.Noise(0.15, limits=(0.0, 1.0)), shape=(8, 8)
)
HUMAN = 0.0
"""Assumed: a person reads every one of them."""
COURSE = {
    "a mirror that listens, 12% on dev and test": (0.10, 0.12, 0.12),
    "the same, where dev and test are easier": (0.10, 0.06, 0.06),
}


def parts(seed=0):
    """Train, train-dev, dev and test: 1,097 scans and 700 pictures, of which 600 are for dev and test."""
    digits = tg.data.load("digits")
    pictures = np.sort(tg.random.permutation(len(digits), seed=seed, stream=1)[:700])
    x, source = digits.x.copy(), np.full(len(digits), "scan", dtype=object)
    x[pictures], source[pictures] = ON_THE_WAY(x[pictures], seed=seed), "picture"
    data = Dataset(x, digits.y, digits.classes)
    return data.split_by_source(source, target="picture", dev=300, test=300, train_dev=0.15, seed=seed)


def table(data, change=None, seed=0):
    """The diagnosis of a network trained on the train part, its examples changed."""
    model = dense(64, 10, hidden=[128], dropout=0.2, seed=seed)
    options = {"epochs": 60, "batch_size": 64, "keep": "last", "train_loss": "steps", "seed": seed, "device": "cpu"}
    tg.fit(model, data.train, optimizer=optim.Adam(lr=2e-3), augment=change, **options)
    errors = {name: 1 - evaluate(model, part).accuracy for name, part in data._asdict().items()}
    return diagnose(human=HUMAN, **errors)


def draw(found):
    """The errors along the chain: strategy.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
    axes = figure.subplots()
    for name, diagnosis in found.items():
        axes.plot(list(diagnosis.errors), list(diagnosis.errors.values()), "o-", label=name)
    axes.set(ylabel="error")
    axes.legend(frameon=False)
    figure.savefig("strategy.png")


def main():
    """The course's two tables; then the case, before and after."""
    for name, (train_dev, dev, test) in COURSE.items():
        print(f"{name}:\n{diagnose(human=0.04, train=0.07, train_dev=train_dev, dev=dev, test=test)}\n")
    data = parts()
    found = {"scans as they are": table(data), "scans changed alike": table(data, ON_THE_WAY)}
    for name, diagnosis in found.items():
        print(f"{name}; first to work on: {diagnosis.focus}\n{diagnosis}\n")
    try:
        draw(found)
        print("picture: strategy.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
