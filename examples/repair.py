"""An autoencoder that repairs digits of which a part was erased.

Its input is a digit with a square of 4 x 4 pixels erased at a random place, anew in every epoch by `fit(augment=)`; its
target the whole digit. On digits it has not seen, the erased pixels are compared with what it puts there, and with the
mean of all training digits; and a classifier of whole digits reads the erased and the repaired ones.
"""

import numpy as np

import twingrad as tg
from twingrad import optim
from twingrad.augment.draws import Draws
from twingrad.data import Dataset
from twingrad.train import dense, predict

SIDE, EPOCHS = 4, 60


def erase(x, *, seed, step=0):
    """x (N, 64) with a square of each picture set to 0: a function of (seed, step, example)."""
    draws = Draws(x, seed, step, "erase")
    top, left = (draws.integers(0, 8 - SIDE)[:, None] for _ in range(2))
    rows, columns = np.divmod(np.arange(64), 8)
    inside = (rows >= top) & (rows < top + SIDE) & (columns >= left) & (columns < left + SIDE)
    return np.where(inside, np.float32(0), x)


def repairer(data, seed, epochs=EPOCHS):
    """A network from an erased digit to the whole one."""
    model = dense(64, 64, hidden=[256], seed=seed)
    options = {"optimizer": optim.Adam(lr=2e-3), "epochs": epochs, "keep": "last", "seed": seed, "device": "cpu"}
    tg.fit(model, Dataset(data.x, data.x), augment=erase, evaluate_every=10**6, **options)
    return model


def reader(data, seed):
    model = dense(64, 10, hidden=[64], seed=seed)
    tg.fit(model, data, epochs=20, keep="last", seed=seed, device="cpu", evaluate_every=10**6)
    return model


def measure(seed, epochs=EPOCHS):
    """What one seed shows, as the claim `repair` states it."""
    data = tg.data.load("digits").split(0.8, 0.0, 0.2, seed=seed)
    x, y = data.test.x, data.test.y
    erased = erase(x, seed=seed + 1)
    gone = erase(np.ones_like(x), seed=seed + 1) == 0
    guesses = {
        "left empty": erased,
        "mean digit": np.where(gone, data.train.x.mean(axis=0), x),
        "repaired": np.where(gone, np.clip(predict(repairer(data.train, seed, epochs), erased), 0, 1), x),
    }
    model, found = reader(data.train, seed), {}
    for name, guess in guesses.items():
        found[f"error, {name}"] = float(np.sqrt(np.mean((guess - x)[gone] ** 2)))
        found[f"accuracy, {name}"] = float((predict(model, guess) == y).mean())
    return found | {"accuracy, whole": float((predict(model, x) == y).mean())}


def draw():
    """Erased, repaired and whole digits: repair.png."""
    from matplotlib.figure import Figure

    data = tg.data.load("digits").split(0.8, 0.0, 0.2, seed=0)
    x = data.test.x[:10]
    erased = erase(x, seed=1)
    repaired = np.clip(predict(repairer(data.train, 0), erased), 0, 1)
    figure = Figure(figsize=(10, 3.3), dpi=120, layout="constrained")
    panels = figure.subplots(3, 10)
    for line, images, name in zip(panels, (erased, repaired, x), ("erased", "repaired", "whole"), strict=True):
        line[0].set_ylabel(name)
        for panel, image in zip(line, images, strict=True):
            panel.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
            panel.set(xticks=[], yticks=[])
    figure.savefig("repair.png")


def main():
    """One seed of the claim `repair`."""
    for name, value in measure(0).items():
        print(f"{name}: {value:.4f}")
    try:
        draw()
        print("picture: repair.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
