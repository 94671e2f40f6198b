"""A threshold under a false-positive rate: a detector that must not give a false alarm too often.

A network says how likely a picture is an eight. To say "eight" from a probability of 1/2 on makes fewest mistakes, but
what is wanted is as many eights as can be found with at most 1% of false alarms. That threshold is chosen on the dev
set and measured on the test set, where the rate may come out a little higher: its interval tells.
"""

import numpy as np

import twingrad as tg
from twingrad import nn, optim
from twingrad.analysis import threshold_at, wilson
from twingrad.data import Dataset, Splits
from twingrad.train import predict_probabilities

RATE, WANTED = 0.01, 8


def rates(scores, y, threshold):
    """The share of eights found, and that of false alarms, each with its interval."""
    said = scores >= threshold
    return (wilson(int(said[y == label].sum()), int((y == label).sum())) for label in (1, 0))


def curve(scores, y):
    """Both rates at each threshold, as the false alarms rise."""
    order = np.argsort(-scores, kind="stable")
    return np.cumsum(y[order] == 0) / np.sum(y == 0), np.cumsum(y[order] == 1) / np.sum(y == 1)


def draw(scores, y, thresholds):
    """The share found over the share of false alarms, with the thresholds: threshold.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), dpi=120, layout="constrained")
    axes = figure.subplots()
    axes.step(*curve(scores, y), where="post", color="#1f6fb4")
    for name, threshold in thresholds.items():
        found, alarms = rates(scores, y, threshold)
        axes.plot(alarms.rate, found.rate, "o", label=name)
    axes.axvline(RATE, color="#999999", linewidth=0.8, linestyle="--", label=f"{RATE:.0%} of false alarms")
    axes.set(xlim=(-0.005, 0.15), xlabel="false alarms", ylabel="eights found", title="test set")
    axes.legend(frameon=False)
    figure.savefig("threshold.png")


def main():
    """Rates on dev and test at 1/2, and at the thresholds chosen on dev for 5%, 1% and no false alarms."""
    digits = tg.data.load("digits")
    eights = Dataset(digits.x, (digits.y == WANTED).astype(int), ("other", "eight"))
    data = Splits(*eights.split(0.2, 0.4, 0.4, seed=0))
    model = nn.Sequential(nn.Linear(64, 1), seed=0)
    tg.fit(model, data, optimizer=optim.Adam(lr=0.05), epochs=60, device="cpu")
    dev, test = (predict_probabilities(model, part.x)[:, 1] for part in (data.dev, data.test))
    thresholds = {"at 1/2": 0.5}
    for rate in (0.05, RATE, 0.0):
        thresholds[f"at most {rate:.0%} on dev"] = threshold_at(dev, data.dev.y, false_positive_rate=rate).threshold
    for name, threshold in thresholds.items():
        print(f"{name}: from {threshold:.4f} on")
        for part, scores, y in (("dev", dev, data.dev.y), ("test", test, data.test.y)):
            found, alarms = rates(scores, y, threshold)
            print(f"  {part}: found {found}, false alarms {alarms}")
    try:
        draw(test, data.test.y, thresholds)
        print("picture: threshold.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
