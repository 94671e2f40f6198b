"""Early stopping: the cost on the dev set falls, then rises while the training cost goes on falling.

A large network learns 300 digits, a fifth of whose labels are wrong, so that there is much to learn by heart. The run
that goes to the end has learned the wrong labels too. The other stops when the dev set has not done better for 10
epochs, and takes back the weights of its best epoch: by the dev accuracy, of equals by the cost, whose least may come
at another one. L2 is the course's alternative: it needs a search for lambda, but lets one minimise the cost as a task
of its own, where stopping early mixes that with regularisation.
"""

import numpy as np

import twingrad as tg
from twingrad import optim
from twingrad.data import Dataset, Splits
from twingrad.train import EarlyStopping, dense, evaluate

EPOCHS, WRONG, PATIENCE, DECAY = 100, 0.2, 10, 0.01


def noisy(seed=0):
    """Splits of 300, 300 and 1197 digits; a share of the training labels replaced by any class."""
    data = tg.data.load("digits").split(300 / 1797, 300 / 1797, 1197 / 1797, seed=seed)
    y = data.train.y.copy()
    wrong = tg.random.permutation(len(y), seed=seed, stream=1)[: round(WRONG * len(y))]
    y[wrong] = (10 * tg.random.uniform((len(wrong),), seed=seed, stream=2)).astype(int)
    return Splits(Dataset(data.train.x, y, data.train.classes), data.dev, data.test)


def run(data, *, keep="last", callbacks=(), decay=0.0):
    """A network and its history."""
    model, optimizer = dense(64, 10, hidden=[256], seed=0), optim.Adam(lr=5e-3, weight_decay=decay)
    options = {"epochs": EPOCHS, "batch_size": 32, "keep": keep, "device": "cpu"}
    return model, tg.fit(model, data, optimizer=optimizer, callbacks=callbacks, **options)


def draw(runs):
    """Cost and error over the epochs: early_stopping.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.6), dpi=120, layout="constrained")
    history, stopped = runs["to the end"][1], runs["stopped early"][1]
    epochs = [record.epoch for record in history]
    costs, errors = figure.subplots(1, 2)
    for part in ("train", "dev"):
        costs.semilogy(epochs, [getattr(record, f"{part}_loss") for record in history], label=part)
        errors.plot(epochs, [1 - getattr(record, f"{part}_accuracy") for record in history], label=part)
    for axes, name in ((costs, "cost"), (errors, "error")):
        for record, told in ((stopped.best, "best"), (stopped[-1], "stopped")):
            axes.axvline(record.epoch, color="#999999", linestyle="--", linewidth=0.8)
            place, across = (record.epoch, 0.03), axes.get_xaxis_transform()
            axes.annotate(told, place, xycoords=across, rotation=90, va="bottom", ha="right", fontsize=8)
        axes.set(xlabel="epoch", ylabel=name)
        axes.legend(frameon=False)
    figure.savefig("early_stopping.png")


def main():
    """Test errors of three ways to train."""
    data = noisy()
    runs = {
        "to the end": run(data),
        "stopped early": run(data, keep="best", callbacks=[EarlyStopping(PATIENCE)]),
        f"L2, lambda/m {DECAY}, to the end": run(data, decay=DECAY),
    }
    for name, (model, history) in runs.items():
        train, test = (evaluate(model, part) for part in (data.train, data.test))
        best = f"{len(history)} epochs, the best by dev accuracy {history.best.epoch}"
        told = f"training labels {1 - train.accuracy:.1%} wrong, test error {1 - test.accuracy:.1%}"
        print(f"{name}: {best}; {told}, test cost {test.loss:.3f}")
    costs = [record.dev_loss for record in runs["to the end"][1]]
    least = int(np.argmin(costs))
    print(f"dev cost {costs[0]:.3f}, least {costs[least]:.3f} in epoch {least + 1}, at last {costs[-1]:.3f}")
    try:
        draw(runs)
        print("picture: early_stopping.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
