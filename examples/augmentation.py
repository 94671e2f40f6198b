"""Data augmentation: 500 digits seen ever anew narrow the gap between train and test error.

Two networks of 64-128-10 begin with the same weights and see the same 500 digits in the same order, 100 times. One sees
each of them bent a little and with noise, differently every time; the test digits are the other 1297, as they are. Over
a hundred seeds that narrows the gap by 1.42% [1.29, 1.55], most of it by making the training digits harder, and lowers
the test error by 0.17% [0.07, 0.28].
"""

import numpy as np

import twingrad as tg
from twingrad import augment, optim
from twingrad.benchmarks.claims import paired
from twingrad.train import dense, evaluate

TINTS = np.array([[1.0, 0.3, 0.3], [0.3, 1.0, 0.3], [0.4, 0.4, 1.0], [1.0, 0.9, 0.2]])
TRAIN, EPOCHS = 500, 100
CHANGE = augment.Compose(augment.Elastic(alpha=4.0, sigma=3.0), augment.Noise(0.1), shape=(8, 8))
SHEET = {
    "flip": augment.Flip(p=1.0),
    "shift": augment.Shift(2),
    "crop": augment.Crop(6, 6),
    "zoom": augment.Zoom(0.6, 1.6),
    "rotate": augment.Rotate(40),
    "elastic": augment.Elastic(8.0, 2.0),
    "noise": augment.Noise(0.15, limits=(0.0, 1.0)),
    "blur": augment.Blur(0.5, 1.2),
    "brightness": augment.Brightness(0.6),
    "contrast": augment.Contrast(0.8),
}
SIGNALS = {
    "gain": augment.Gain(-10, 10),
    "noise mixed in": augment.MixNoise(0, 10),
    "band stop": augment.BandStop(4.0, 8.0, 20.0, rate=200.0),
}


def errors(seed, change=None, epochs=EPOCHS):
    """Shares of wrong answers on the 500 and on the other digits, after training with `change`."""
    digits = tg.data.load("digits")
    share = TRAIN / len(digits)
    data = digits.split(share, 0.0, 1 - share, seed=seed)
    model = dense(64, 10, hidden=[128], seed=seed)
    options = {"optimizer": optim.Adam(lr=1e-3), "epochs": epochs, "batch_size": 50, "keep": "last", "seed": seed}
    tg.fit(model, data.train, augment=change, evaluate_every=10**6, device="cpu", **options)
    return tuple(1 - evaluate(model, part).accuracy for part in (data.train, data.test))


def measure(seed, epochs=EPOCHS):
    """What one seed shows, as the claim `augmentation` states it."""
    found = {}
    for name, change in (("plain", None), ("augmented", CHANGE)):
        train, test = errors(seed, change, epochs)
        found |= {f"train error, {name}": train, f"test error, {name}": test, f"gap, {name}": test - train}
    return found


def draw():
    """A sheet of every augmentation, on eight digits and on eight signals: augmentation.png."""
    from matplotlib.figure import Figure

    digits = tg.data.load("digits").x[:8].reshape(8, 8, 8)
    figure = Figure(figsize=(9, 2 + 0.95 * (len(SHEET) + len(SIGNALS))), dpi=110, layout="constrained")
    rows = figure.subplots(2 + len(SHEET) + len(SIGNALS), 8)
    for axes, (name, change) in zip(rows, ({"as they are": augment.Compose()} | SHEET).items(), strict=False):
        for panel, image in zip(axes, change(digits, seed=1), strict=True):
            panel.imshow(image, cmap="gray_r", vmin=0, vmax=1)
        axes[0].set_ylabel(name, rotation=0, ha="right", va="center")
    coloured = digits[:, :, :, None] * TINTS[np.arange(8) % 4, None, None, :]
    for panel, image in zip(rows[1 + len(SHEET)], augment.Saturation(0.9)(coloured, seed=1), strict=True):
        panel.imshow(image)
    rows[1 + len(SHEET), 0].set_ylabel("saturation", rotation=0, ha="right", va="center")
    t = np.arange(100) / 200.0
    waves = np.stack([np.sin(2 * np.pi * 10 * t) + 0.4 * np.sin(2 * np.pi * (25 + 3 * k) * t) for k in range(8)])
    for axes, (name, change) in zip(rows[2 + len(SHEET) :], SIGNALS.items(), strict=True):
        for panel, wave, before in zip(axes, change(waves, seed=1), waves, strict=True):
            panel.plot(t, before, color="#bbbbbb", linewidth=0.7)
            panel.plot(t, wave, color="#1f6fb4", linewidth=0.8)
        axes[0].set_ylabel(name, rotation=0, ha="right", va="center")
    for panel in rows.ravel():
        panel.set_xticks([])
        panel.set_yticks([])
        panel.spines[:].set_visible(False)
    figure.savefig("augmentation.png")


def main():
    """Three seeds; the claim `augmentation` of `twingrad.benchmarks.claims` is measured with a hundred."""
    print(f"{TRAIN} digits, each epoch changed anew by {CHANGE}")
    rows = [measure(seed) for seed in range(3)]
    for name in rows[0]:
        print(f"{name}: {np.mean([row[name] for row in rows]):.2%}")
    for what in ("gap", "test error"):
        by = paired(*([row[f"{what}, {name}"] for row in rows] for name in ("plain", "augmented")))
        print(f"the {what}, beside the plain one: {by.side}, by {by} over {by.n} seeds (95% interval)")
    try:
        draw()
        print("picture: augmentation.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
