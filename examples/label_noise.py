"""Wrong labels in the training set: learning forgives random ones, and learns systematic ones.

A share of all training labels is wrong, in one of two ways: at random, any class for any other; or systematically, some
of the eights called one, as by a person who had it wrong. There are as many in both. The test labels are right. Random
ones contradict each other; systematic ones are all there is to learn of that digit.
"""

import numpy as np

import twingrad as tg
from twingrad import optim
from twingrad.benchmarks.claims import paired
from twingrad.data import Dataset
from twingrad.train import dense, evaluate, predict

SHARES = (0.0, 0.02, 0.05, 0.08)
TRUE, TAKEN_FOR = 8, 1


def at_random(y, share, seed):
    """So many labels replaced by any other class."""
    wrong = tg.random.permutation(len(y), seed=seed, stream=1)[: round(share * len(y))]
    found = y.copy()
    found[wrong] = (y[wrong] + 1 + (9 * tg.random.uniform((len(wrong),), seed=seed, stream=2)).astype(int)) % 10
    return found


def systematic(y, share, seed):
    """As many labels replaced, all of them eights that become ones."""
    eights = np.flatnonzero(y == TRUE)
    order = tg.random.permutation(len(eights), seed=seed, stream=1)
    found = y.copy()
    found[eights[order[: round(share * len(y))]]] = TAKEN_FOR
    return found


def errors(seed, share, change):
    """The test error, and the share of eights called one, after training with wrong labels."""
    data = tg.data.load("digits").split(seed=seed)
    train = Dataset(data.train.x, change(data.train.y, share, seed), data.train.classes)
    model = dense(64, 10, hidden=[64], dropout=0.5, seed=seed)
    options = {"epochs": 30, "batch_size": 32, "keep": "last", "train_loss": "steps", "seed": seed, "device": "cpu"}
    tg.fit(model, train, optimizer=optim.Adam(lr=2e-3), **options)
    taken = predict(model, data.test.x[data.test.y == TRUE]) == TAKEN_FOR
    return 1 - evaluate(model, data.test).accuracy, taken.mean()


def draw(found):
    """The test error over the share of wrong labels: label_noise.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), dpi=120, layout="constrained")
    axes = figure.subplots()
    for name, by_share in found.items():
        axes.plot(SHARES, [np.mean(rows, axis=0)[0] for rows in by_share], "o-", label=name)
    axes.plot(SHARES, SHARES, "--", color="#999999", label="share of wrong labels")
    axes.set(xlabel="share of wrong labels in the training set", ylabel="test error")
    axes.legend(frameon=False)
    figure.savefig("label_noise.png")


def main(seeds=range(5)):
    """Errors by kind and share, the mean of five seeds."""
    kinds = {"random": at_random, "systematic": systematic}
    found = {
        name: [[errors(seed, share, change) for seed in seeds] for share in SHARES] for name, change in kinds.items()
    }
    for name, by_share in found.items():
        for share, rows in zip(SHARES, by_share, strict=True):
            error, taken = np.mean(rows, axis=0)
            print(f"{name}, {share:.0%} wrong: test error {error:.1%}; eights called one {taken:.0%}")
    less = paired(*([error for error, _ in found[name][-1]] for name in kinds))
    told = f"{less.mean:.1%} [{less.low:.1%}, {less.high:.1%}]"
    for name, by_share in found.items():
        clean, worst = (np.mean(by_share[i], axis=0)[0] for i in (0, -1))
        print(f"{SHARES[-1]:.0%} {name} ones cost {worst - clean:.1%} of test error")
    print(f"systematic ones cost {told} more than random ones over {less.n} seeds (95% interval)")
    try:
        draw(found)
        print("picture: label_noise.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
