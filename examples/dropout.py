"""Dropout by layer, and the switch that turns all of it off: does J fall in every step, as it must?

Where a mask is drawn in each step the cost that one sees belongs to another network each time: it goes up and down even
where the gradient is right and the learning rate small, so that an error in the code is hard to tell from the masks.
The course's cure: first run without dropout, where descent on the whole batch must lower J in every step, and only then
turn it on. `fit(dropout=False)` is that switch; the layers keep their probabilities, here 0.2 behind the first hidden
layer, which is wide, and 0.5 and 0 behind those after it.
"""

import numpy as np

import twingrad as tg
from twingrad import optim
from twingrad.train import dense

HIDDEN, DROPOUT, STEPS, LR = [128, 64, 32], [0.2, 0.5, 0.0], 150, 0.03


def costs(data, dropout, lr=LR):
    """The cost of each step of descent on the whole batch, while it was learned from; and the network."""
    model = dense(64, 10, hidden=HIDDEN, dropout=DROPOUT, seed=0)
    options = {"batch_size": len(data), "train_loss": "steps", "keep": "last", "device": "cpu"}
    history = tg.fit(model, data, optimizer=optim.SGD(lr=lr), epochs=STEPS, dropout=dropout, **options)
    return np.asarray([record.train_loss for record in history]), model


def draw(found):
    """The costs over the steps: dropout.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
    axes = figure.subplots()
    for name, values in found.items():
        axes.semilogy(range(1, STEPS + 1), values, label=name)
    axes.set(xlabel="step on the whole batch", ylabel="cost J")
    axes.legend(frameon=False)
    figure.savefig("dropout.png")


def main():
    """In how many steps the cost rose: with dropout, without, and without it at a rate that is too large."""
    data = tg.data.load("digits").split(seed=0).train
    print(f"keep_prob by hidden layer: {', '.join(f'{1 - p:g}' for p in DROPOUT)}")
    found = {}
    for name, options in {
        "with dropout": {"dropout": True},
        "without": {"dropout": False},
        "without, rate 10 times as large": {"dropout": False, "lr": 10 * LR},
    }.items():
        found[name], model = costs(data, **options)
        rose = np.flatnonzero(np.diff(found[name]) > 0)
        told = f"rose in {len(rose)} of {STEPS - 1} steps" + (f", first in step {rose[0] + 2}" if len(rose) else "")
        print(f"{name}: J {told}; {found[name][0]:.3f} at first, {found[name][-1]:.3f} at last")
    print(model.summary())
    try:
        draw(found)
        print("picture: dropout.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
