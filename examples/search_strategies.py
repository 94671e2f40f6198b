"""Grid, random and coarse-to-fine search with the same 25 trials, where one hyperparameter matters and one does not.

The course's example: Adam's learning rate matters, its epsilon hardly does. A grid tries five rates, five times each;
random search tries 25; coarse to fine puts its second and third round near the best rate so far. So that no grid
hits the best rate by chance of its ends, the seed moves the ends of the range. What is compared is the logarithm of the
lowest dev loss that each search finds.
"""

import importlib.util
import itertools
import math
import sys

import numpy as np

import twingrad as tg
from twingrad import optim
from twingrad.benchmarks.claims import paired
from twingrad.random import uniform
from twingrad.train import dense
from twingrad.tune import LogUniform, search

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


def draw(searches):
    """Where each search looked, and what it found there: search_strategies.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.8), dpi=120, layout="constrained")
    panels = figure.subplots(1, 3, sharex=True, sharey=True)
    for axes, (strategy, found) in zip(panels, searches.items(), strict=True):
        rates, eps = ([trial.values[name] for trial in found] for name in ("lr", "eps"))
        losses = [math.log10(trial.value) for trial in found]
        shown = axes.scatter(rates, eps, c=losses, cmap="viridis_r", vmin=-0.8, vmax=0.5, s=25)
        axes.loglog(rates, np.full(len(rates), 7e-10), "|", color="#333333", markersize=9)
        axes.plot(*([found.best.values[name]] for name in ("lr", "eps")), "o", mfc="none", mec="red", ms=11)
        axes.set(title=f"{strategy}: best {found.best.value:.3f}", xlabel="learning rate (marks: those tried)")
    panels[0].set_ylabel("epsilon")
    figure.colorbar(shown, ax=panels, label="log10 of the dev loss", extend="both")
    figure.savefig("search_strategies.png")


def main():
    """One seed's trials, then the means of five; the claim `search_strategies` is measured with forty."""
    if importlib.util.find_spec("optuna") is None:
        sys.exit("this example needs Optuna: pip install '.[tune]'")
    searches = {strategy: searched(0, strategy) for strategy in STRATEGIES}
    for strategy, found in searches.items():
        rates = {trial.values["lr"] for trial in found}
        print(f"{strategy}: {len(rates)} rates, best {found.best}")
    importance = searches["random"].importance()
    print("importance, by random search:", {name: f"{share:.0%}" for name, share in importance.items()})
    rows = [measure(seed) for seed in range(5)]
    for other, name in itertools.combinations(STRATEGIES, 2):
        by = paired([row[f"log loss, {other}"] for row in rows], [row[f"log loss, {name}"] for row in rows])
        print(f"the loss that {name} finds, beside that of {other}: {by.side}, e^{by.mean:.2f} times", end=" ")
        print(f"(95% interval over {by.n} seeds: e^{by.low:.2f} to e^{by.high:.2f})")
    try:
        draw(searches)
        print("picture: search_strategies.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
