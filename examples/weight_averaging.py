"""Averaging of weights: the weights of the last hundred steps or so, averaged, beside the last ones.

With small mini-batches, dropout and a large learning rate descent does not come to rest: its weights go to and fro
around a good place, and the cost with them. An average over the steps may lie nearer to that place. `ema=0.99` keeps
one beside the weights, average = 0.99 average + 0.01 w after each step, whose window is 1/(1 - 0.99) = 100 steps;
`averaged` puts it in their place to measure. A window as long as the run still holds the beginning. (A learning rate
that falls comes to rest too: `learning_rate_decay.py`.)
"""

import numpy as np

import twingrad as tg
from twingrad import functional as F
from twingrad import optim
from twingrad.benchmarks.claims import paired
from twingrad.data import batches
from twingrad.train import dense, evaluate

EPOCHS, BATCH, LR, DECAYS = 20, 16, 0.5, (0.9, 0.99, 0.999)
LATE = slice(EPOCHS // 2, None)


def learn(seed, decay):
    """Dev cost and error after each epoch, of the weights and of their average: two arrays (epochs, 2)."""
    data = tg.data.load("digits").split(seed=seed)
    model = dense(64, 10, hidden=[64], dropout=0.3, seed=seed)
    optimizer = optim.SGD(model, lr=LR, ema=decay)

    def step(x, y):
        cost = F.softmax_cross_entropy(model(x), y)
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
        return cost

    captured, found = tg.capture(step, fallback=True), []
    for epoch in range(EPOCHS):
        for index in batches(len(data.train), BATCH, seed=seed, epoch=epoch):
            captured(data.train.x[index], data.train.y[index])
        weights = measured(model, data.dev)
        with optimizer.averaged():
            found.append((weights, measured(model, data.dev)))
    return np.transpose(found, (1, 0, 2))


def measured(model, data):
    result = evaluate(model, data)
    return result.loss, 1 - result.accuracy


def draw(weights, averages):
    """Cost and error over the epochs: weight_averaging.png."""
    from matplotlib.figure import Figure

    figure, epochs = Figure(figsize=(10, 4), dpi=120, layout="constrained"), range(1, EPOCHS + 1)
    for i, (axes, name) in enumerate(zip(figure.subplots(1, 2), ("dev cost", "dev error"), strict=True)):
        axes.semilogy(epochs, weights[:, i], color="#aaaaaa", label="the weights")
        for decay, rows in averages.items():
            axes.semilogy(epochs, rows[:, i], label=f"average, {decay:g}")
        axes.set(xlabel="epoch", ylabel=name, xticks=range(5, EPOCHS + 1, 5))
    figure.legend(*axes.get_legend_handles_labels(), frameon=False, loc="outside upper center", ncols=4)
    figure.savefig("weight_averaging.png")


def main(seeds=range(5)):
    """The second half of the epochs: means, how much they change from epoch to epoch, and the gain over five seeds."""
    runs = {decay: [learn(seed, decay) for seed in seeds] for decay in DECAYS}  # the weights are the same in all three
    weights = [weights for weights, _ in runs[DECAYS[0]]]
    named = {"the weights": weights} | {f"average, {decay:g}": [a for _, a in each] for decay, each in runs.items()}
    for name, each in named.items():
        cost, error = np.mean([rows[LATE].mean(axis=0) for rows in each], axis=0)
        steps = np.mean([np.abs(np.diff(rows[LATE, 0])).mean() for rows in each])
        print(f"{name}: dev cost {cost:.3f}, which changes by {steps:.4f} from epoch to epoch, dev error {error:.2%}")
        if each is not weights:
            by = paired(*([rows[LATE, 0].mean() for rows in rows_of] for rows_of in (weights, each)))
            print(f"  cost, beside that of the weights: {by.side}, by {by} over {by.n} seeds (95% interval)")
    try:
        draw(weights[0], {decay: each[0][1] for decay, each in runs.items()})
        print("picture: weight_averaging.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
