"""Learning-rate decay: large steps at first, small ones at last, by each of the course's formulas and a few later ones.

A linear regression, whose least cost is known, by descent with mini-batches of 16 for twenty epochs. At a large rate it
is soon near the minimum and then goes to and fro around it, since each mini-batch has a minimum of its own; at a small
one it is still on its way at the end. A rate that falls does the one and then the other. Each schedule begins with the
large rate, but for the warm-up, which takes three epochs to rise to it.
"""

import numpy as np

import twingrad as tg
from twingrad import nn, optim
from twingrad.benchmarks.claims import paired
from twingrad.data import Dataset
from twingrad.optim import schedules

M, N, EPOCHS, BATCH, LARGE, SMALL = 1024, 10, 20, 16, 0.05, 0.002
STEPS = M // BATCH
"""Updates of an epoch."""
CONSTANT = {f"{rate:g} throughout": schedules.Table({0: rate}) for rate in (LARGE, SMALL)}
COSINE = schedules.Cosine(LARGE, length=EPOCHS * STEPS)
DECAYS = {
    "1 / (1 + rate epoch)": schedules.InverseTime(LARGE, decay=1.0),
    "0.8^epoch": schedules.Exponential(LARGE, base=0.8),
    "1 / sqrt(epoch)": schedules.InverseSqrt(LARGE),
    "halved every 3 epochs": schedules.Staircase(LARGE, every=3),
    "by hand": schedules.Table({0: LARGE, 8: 0.01, 14: 0.002}),
    "cosine": COSINE,
    "warm-up, then cosine": schedules.Warmup(COSINE, steps=3 * STEPS),
}


def table(seed):
    """x (M, N), its inputs of several sizes, and y = x w + noise; and the least mean squared error."""
    x = tg.random.normal((M, N), seed=seed, stream=1) * np.linspace(0.5, 1.5, N)
    y = x @ tg.random.normal((N,), seed=seed, stream=2) + tg.random.normal((M,), seed=seed, stream=3)
    w = np.linalg.lstsq(x, y, rcond=None)[0]
    return Dataset(x, y), np.mean((y - x @ w) ** 2)


def above(seed, schedule):
    """How far the cost is above the least one, before training and after each epoch: (EPOCHS + 1,)."""
    data, least = table(seed)
    model = nn.Linear(N, 1, bias=False, dtype=np.float64, init=nn.init.zeros)
    options = {"loss": "mean_squared_error", "epochs": EPOCHS, "batch_size": BATCH, "keep": "last", "seed": seed}
    history = tg.fit(model, data, optimizer=optim.SGD(lr=schedule), device="cpu", **options)
    return np.asarray([np.mean(data.y**2), *(record.train_loss for record in history)]) - least


def draw(found):
    """The rates, and the mean of how far the cost is above the least: learning_rate_decay.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), dpi=120, layout="constrained")
    rates, costs = figure.subplots(1, 2)
    epochs = np.arange(EPOCHS * STEPS) / STEPS
    greys = dict(zip(CONSTANT, ("#333333", "#aaaaaa"), strict=True))
    for name, schedule in (CONSTANT | DECAYS).items():
        style = {"color": greys[name], "linestyle": "--"} if name in CONSTANT else {}
        rates.semilogy(epochs, [schedule(step, step // STEPS) for step in range(len(epochs))], label=name, **style)
        costs.semilogy(range(EPOCHS + 1), found[name], **style)
    rates.set(xlabel="epoch", ylabel="learning rate", ylim=(LARGE / 100, LARGE * 1.5), xticks=range(0, EPOCHS + 1, 5))
    costs.set(xlabel="epoch", ylabel="cost above the least", xticks=range(0, EPOCHS + 1, 5))
    figure.legend(frameon=False, loc="outside right center")
    figure.savefig("learning_rate_decay.png")


def main(seeds=range(5)):
    """Each schedule's last rate and costs, the mean of five seeds, beside the better of both constant rates."""
    found = {name: np.asarray([above(s, schedule) for s in seeds]) for name, schedule in (CONSTANT | DECAYS).items()}
    best = min(CONSTANT, key=lambda name: found[name][:, -1].mean())
    print(f"how far the cost is above the least; the better constant rate is {best}")
    for name, schedule in (CONSTANT | DECAYS).items():
        early, last = found[name][:, 2].mean(), found[name][:, -1].mean()
        print(f"{name}: rate at last {schedule(EPOCHS * STEPS - 1, EPOCHS - 1):.2g}; ", end="")
        print(f"above by {early:.4f} after 2 epochs, {last:.5f} after {EPOCHS}")
        if name in DECAYS:
            by = paired(np.log10(found[best][:, -1]), np.log10(found[name][:, -1]))
            print(f"  {by.side}, by {by} powers of ten over {by.n} seeds (95% interval)")
    try:
        draw({name: rows.mean(axis=0) for name, rows in found.items()})
        print("picture: learning_rate_decay.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
