"""Batch norm at test time: running averages of the statistics, or statistics recomputed over the training set.

In training each mini-batch is normalised by its own mean and variance; a single example at test time has none. Running
averages, 0.9 old + 0.1 new, cost nothing, but follow with a delay: they begin at 0 and 1, of which 0.9^t is left after
t updates, and belong to weights that have changed since. `nn.recompute_statistics` computes them for the weights as
they are, by one pass over mini-batches. Averages of weights need it too: no running average was ever taken for them.
"""

import numpy as np

import twingrad as tg
from twingrad import functional as F
from twingrad import nn, optim
from twingrad.benchmarks.claims import paired
from twingrad.data import batches
from twingrad.train import dense, evaluate

BATCH, LR, DECAY, LOOKS = 32, 0.3, 0.95, (1, 2, 4, 8, 16, 32, 64, 128, 256)
WAYS = ("running averages", "recomputed", "averaged weights, running averages", "averaged weights, recomputed")


def costs(model, data):
    """Dev cost and error with the running averages, and with statistics recomputed; the model stays as it is."""
    kept, order = model.state_dict(), batches(len(data.train), BATCH, seed=1, epoch=0, smallest=2)
    running = measured(model, data.dev)
    nn.recompute_statistics(model, (data.train.x[index] for index in order))
    recomputed = measured(model, data.dev)
    model.load_state_dict(kept)
    return [running, recomputed]


def measured(model, data):
    found = evaluate(model, data)
    return found.loss, 1 - found.accuracy


def learn(seed):
    """Cost and error of the four ways after 1, 2, 4, ... updates: (looks, ways, 2)."""
    data = tg.data.load("digits").split(seed=seed)
    model = dense(64, 10, hidden=[64, 64], batch_norm=True, seed=seed)
    optimizer, found = optim.SGD(model, lr=LR, momentum=0.9, ema=DECAY), []
    order = (index for epoch in range(10**6) for index in batches(len(data.train), BATCH, seed=seed, epoch=epoch))
    for step, index in zip(range(1, LOOKS[-1] + 1), order, strict=False):
        optimizer.zero_grad()
        F.softmax_cross_entropy(model(data.train.x[index]), data.train.y[index]).backward()
        optimizer.step()
        if step in LOOKS:
            own = costs(model, data)
            with optimizer.averaged():
                found.append(own + costs(model, data))
    return np.asarray(found)


def draw(found):
    """Dev cost and error over the updates, the mean of the seeds: batch_norm_statistics.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), dpi=120, layout="constrained")
    for axes, rows, name in zip(figure.subplots(1, 2), np.transpose(found, (2, 1, 0)), ("cost", "error"), strict=True):
        for i, (way, values) in enumerate(zip(WAYS, rows, strict=True)):
            style = {"color": ("#1f6fb4", "#c4561e")[i // 2], "linestyle": ("--", "-")[i % 2]}
            axes.loglog(LOOKS, values, marker=".", label=way, **style)
        axes.set(xlabel="updates", ylabel=f"dev {name}", xticks=LOOKS, xticklabels=LOOKS)
        axes.minorticks_off()
    figure.legend(*axes.get_legend_handles_labels(), frameon=False, loc="outside upper center", ncols=2)
    figure.savefig("batch_norm_statistics.png")


def main(seeds=range(5)):
    """Dev costs and errors by the number of updates, the mean of five seeds; where the two ways differ."""
    runs = np.asarray([learn(seed) for seed in seeds])
    for k, looks in enumerate(LOOKS):
        print(f"update {looks}: of where the running averages began 0.9^{looks} = {0.9**looks:.2g} is left")
        for own, kind in ((0, "weights"), (2, "averaged weights")):
            (cost, error), (cost_again, error_again) = runs[:, k, own : own + 2].mean(axis=0)
            less = paired(runs[:, k, own, 0], runs[:, k, own + 1, 0])
            print(f"  {kind}: dev error {error:.1%}, recomputed {error_again:.1%}; ", end="")
            print(f"dev cost {cost:.3f}, {cost_again:.3f}: {less.side} ({less.n} seeds, 95% interval)")
    try:
        draw(runs.mean(axis=0))
        print("picture: batch_norm_statistics.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
