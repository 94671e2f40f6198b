"""An autoencoder that repairs digits of which a part was erased.

Its input is a digit with a square of 4 x 4 pixels erased at a random place, anew in every epoch by `fit(augment=)`; its
target the whole digit. On digits it has not seen, the erased pixels are compared with what it puts there, and with the
mean of all training digits; and a classifier of whole digits reads the erased and the repaired ones.
"""

import functools
from pathlib import Path

import numpy as np

import twingrad as tg
from twingrad import optim
from twingrad.augment.draws import Draws
from twingrad.data import Dataset, sheet_png
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


@functools.lru_cache(1)
def guesses(seed, epochs=EPOCHS):
    """The parts of the digits, what was erased, and the guesses for it by name."""
    data = tg.data.load("digits").split(0.8, 0.0, 0.2, seed=seed)
    x, erased = data.test.x, erase(data.test.x, seed=seed + 1)
    gone = erase(np.ones_like(x), seed=seed + 1) == 0
    found = {
        "left empty": erased,
        "mean digit": np.where(gone, data.train.x.mean(axis=0), x),
        "repaired": np.where(gone, np.clip(predict(repairer(data.train, seed, epochs), erased), 0, 1), x),
    }
    return data, gone, found


def measure(seed, epochs=EPOCHS):
    """What one seed shows, as the claim `repair` states it."""
    data, gone, guessed = guesses(seed, epochs)
    model, found, x, y = reader(data.train, seed), {}, data.test.x, data.test.y
    for name, guess in guessed.items():
        found[f"error, {name}"] = float(np.sqrt(np.mean((guess - x)[gone] ** 2)))
        found[f"accuracy, {name}"] = float((predict(model, guess) == y).mean())
    return found | {"accuracy, whole": float((predict(model, x) == y).mean())}


def sheet(seed=0, count=10):
    """Ten digits as they were guessed, and whole: a picture, or None."""
    data, _, guessed = guesses(seed)
    rows = guessed | {"whole": data.test.x}
    return sheet_png({name: images[:count].reshape(-1, 8, 8) for name, images in rows.items()})


def main():
    """One seed of the claim `repair`."""
    for name, value in measure(0).items():
        print(f"{name}: {value:.4f}")
    picture = sheet()
    if picture:
        Path("repair.png").write_bytes(picture)
        print("picture: repair.png")
    else:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
