"""Batch norm tolerates larger learning rates: the largest at which a deep network learns, with and without it.

Eight hidden layers of 32 ReLU units see the digits for 30 epochs of plain descent, at rates of 0.01, 0.02, 0.05 and
so on up to 100. A rate is tolerated where the accuracy on the dev digits comes to 80% at the last epoch; what is
compared is the largest rate tolerated, and whether ten times the largest one without batch norm is tolerated with it.
"""

import math

import twingrad as tg
from twingrad import optim
from twingrad.train import Diverged, dense

RATES = [a * 10.0**b for b in range(-2, 2) for a in (1, 2, 5)] + [100.0]
DEPTH, WIDTH, EPOCHS, ENOUGH = 8, 32, 30, 0.8


def accuracy(seed, lr, batch_norm):
    """Of the dev digits after the last epoch; 0 where the run diverges."""
    data = tg.data.load("digits").split(seed=seed)
    model = dense(64, 10, hidden=[WIDTH] * DEPTH, batch_norm=batch_norm, seed=seed)
    options = {"epochs": EPOCHS, "keep": "last", "evaluate_every": 10**6, "device": "cpu", "seed": seed}
    try:
        return tg.fit(model, data, optimizer=optim.SGD(lr=lr), **options)[-1].dev_accuracy
    except Diverged:
        return 0.0


def curve(seed, batch_norm):
    """The accuracy at each rate."""
    return [accuracy(seed, lr, batch_norm) for lr in RATES]


def largest(values):
    """The largest rate that is tolerated."""
    tolerated = [lr for lr, value in zip(RATES, values, strict=True) if value >= ENOUGH]
    if not tolerated:
        raise ValueError(f"no rate comes to {ENOUGH:.0%}; the best accuracy is {max(values):.0%}")
    return tolerated[-1]


def measure(seed):
    """What one seed shows, as the claim `batch_norm_rate` states it."""
    plain, normed = (largest(curve(seed, batch_norm)) for batch_norm in (False, True))
    told = {"log10 largest rate, plain": math.log10(plain), "log10 largest rate, batch norm": math.log10(normed)}
    return told | {
        "log10 ratio": math.log10(normed / plain),
        "accuracy, plain at ten times its largest": accuracy(seed, 10 * plain, False),
        "accuracy, batch norm at ten times that": accuracy(seed, 10 * plain, True),
    }


def draw(curves):
    """Accuracy over the rate: batch_norm_rate.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
    axes = figure.subplots()
    for name, values in curves.items():
        axes.semilogx(RATES, values, "o-", label=name)
    axes.axhline(ENOUGH, color="#999999", linewidth=0.8, linestyle="--", label=f"tolerated from {ENOUGH:.0%} on")
    axes.set(xlabel="learning rate", ylabel=f"dev accuracy after {EPOCHS} epochs")
    axes.legend(frameon=False)
    figure.savefig("batch_norm_rate.png")


def main():
    """Accuracy at each rate for one seed; the claim is measured with twenty."""
    curves = {"plain": curve(0, batch_norm=False), "batch norm": curve(0, batch_norm=True)}
    for name, values in curves.items():
        print(f"{name}: {', '.join(f'{value:.0%} at {lr:g}' for lr, value in zip(RATES, values, strict=True))}")
        print(f"{name}: the largest rate that is tolerated is {largest(values):g}")
    try:
        draw(curves)
        print("picture: batch_norm_rate.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
