"""Grid, random and coarse-to-fine search with the same 25 trials, where one hyperparameter matters and one does not.

The course's example: Adam's learning rate matters, its epsilon hardly does. A grid tries five rates, five times each;
random search tries 25; coarse to fine puts its second and third round near the best rate so far. So that no grid
hits the best rate by chance of its ends, the seed moves the ends of the range. What is compared is the logarithm of the
lowest dev loss that each search finds.
"""

import math

import numpy as np

import twingrad as tg
from twingrad import optim
from twingrad.benchmarks.claims import paired
from twingrad.random import uniform
from twingrad.train import dense
from twingrad.tune import LogUniform, search, slices_png

TRIALS, EPOCHS = 25, 4
STRATEGIES = ("grid", "random", "coarse-to-fine")


def searched(seed, strategy, trials=TRIALS):
    """The search of a seed."""
    data = tg.data.load("digits").split(seed=seed)
    shift = 10 ** (uniform((), seed=seed, stream=1).item() - 0.5)
    space = {"lr": LogUniform(1e-5 * shift, 10 * shift), "eps": LogUniform(1e-9, 1e-7)}

    def objective(values, report):
        model = dense(64, 10, hidden=[32], seed=seed)
        options = {"epochs": EPOCHS, "keep": "last", "evaluate_every": 10**6, "device": "cpu", "seed": seed}
        return tg.fit(model, data, optimizer=optim.Adam(**values), **options)[-1].dev_loss

    return search(objective, space, trials=trials, strategy=strategy, seed=seed)


def measure(seed, trials=TRIALS):
    """What one seed shows, as the claim `search_strategies` states it."""
    return {f"log loss, {name}": math.log(searched(seed, name, trials).best.value) for name in STRATEGIES}


def main():
    """One seed's trials, then the means of five; the claim is measured with twenty."""
    for strategy in STRATEGIES:
        found = searched(0, strategy)
        rates = sorted({trial.values["lr"] for trial in found})
        print(f"{strategy}: {len(rates)} rates, best {found.best}")
    print("importance, by random search:", {n: f"{s:.0%}" for n, s in searched(0, "random").importance().items()})
    rows = [measure(seed) for seed in range(5)]
    for worse, better in (("grid", "random"), ("random", "coarse-to-fine")):
        gain = paired([row[f"log loss, {better}"] for row in rows], [row[f"log loss, {worse}"] for row in rows])
        print(
            f"{better} finds a loss e^{gain.mean:.2f} times lower than {worse} (95% {gain.low:.2f} to {gain.high:.2f})"
        )
    picture = slices_png(searched(0, "coarse-to-fine"), "dev loss")
    if picture:
        with open("search_strategies.png", "wb") as file:
            file.write(picture)
        print("picture: search_strategies.png")
    else:
        print("no picture: pip install 'twingrad[plot]'")
    assert np.isfinite([row[name] for row in rows for name in row]).all()


if __name__ == "__main__":
    main()
