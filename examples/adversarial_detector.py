"""A detector of adversarial examples, and the attack on the network and the detector together.

The detector is a network of its own, trained to tell digits from digits that the sign method moved. It catches nearly
all of them. An attacker who knows it takes a step up the sum of both losses: no example is caught, and some, far fewer
than without a detector, are misread as well.
"""

import functools
import runpy
from pathlib import Path

import numpy as np

import twingrad as tg
from twingrad import functional as F
from twingrad import optim
from twingrad.adversarial import fast_gradient_sign
from twingrad.data import Dataset
from twingrad.train import dense, predict, predict_probabilities

ADVERSARIAL = runpy.run_path(str(Path(__file__).with_name("adversarial.py")))
EPS, LIMITS, train, enlarged = (ADVERSARIAL[name] for name in ("EPS", "LIMITS", "train", "enlarged"))


def detector_of(classifier, data, seed):
    """A network of two outputs, 1 for what the sign method has moved."""
    moved = fast_gradient_sign(classifier, data.x, data.y, eps=EPS, limits=LIMITS)
    both = Dataset(np.concatenate([data.x, moved]), np.repeat([0, 1], len(data)))
    model = dense(data.features, 2, hidden=[64], seed=seed + 1)
    options = {"optimizer": optim.Adam(lr=1e-3), "loss": "cross_entropy", "epochs": 10, "keep": "last", "seed": seed}
    tg.fit(model, both, evaluate_every=10**6, device="cpu", **options)
    return model


def jointly(classifier, detector, x, y):
    """One step that raises the classifier's loss and the detector's."""

    def both(x):
        return tg.xp.concat([classifier(x), detector(x)], axis=1)

    def loss(outputs, y, reduction):
        caught = np.ones(len(y), np.int64)
        read = F.softmax_cross_entropy(outputs[:, :10], y, reduction=reduction)
        return read + F.softmax_cross_entropy(outputs[:, 10:], caught, reduction=reduction)

    return fast_gradient_sign(both, x, y, eps=EPS, loss=loss, limits=LIMITS)


@functools.lru_cache(1)
def attacked(seed):
    """The classifier, the detector, the labels of the test digits; and these as they are, and after either attack."""
    data = enlarged().split(0.7, 0.0, 0.3, seed=seed)
    x, y = data.test.x, data.test.y
    classifier = train(data.train, seed)
    detector = detector_of(classifier, data.train, seed)
    shown = {
        "as they are": x,
        "attack": fast_gradient_sign(classifier, x, y, eps=EPS, limits=LIMITS),
        "joint attack": jointly(classifier, detector, x, y),
    }
    return classifier, detector, y, shown


def measure(seed):
    """What one seed shows, as the claim `adversarial_detector` states it."""
    classifier, detector, y, shown = attacked(seed)
    found = {"false alarms": float((predict(detector, shown["as they are"]) == 1).mean())}
    for name in ("attack", "joint attack"):
        wrong, passed = predict(classifier, shown[name]) != y, predict(detector, shown[name]) == 0
        found |= {
            f"caught, {name}": float(1 - passed.mean()),
            f"wrong and not caught, {name}": float((wrong & passed).mean()),
        }
    return found


def draw(seed=0):
    """How sure the classifier is of the right digit and the detector of an attack: adversarial_detector.png."""
    from matplotlib.figure import Figure

    classifier, detector, y, shown = attacked(seed)
    figure = Figure(figsize=(6, 4.4), dpi=120, layout="constrained")
    axes = figure.subplots()
    for name, images in shown.items():
        caught, right = predict_probabilities(detector, images)[:, 1], predict_probabilities(classifier, images)
        axes.plot(right[np.arange(len(y)), y], caught, ".", markersize=4, alpha=0.6, label=name)
    axes.axhline(0.5, color="#999999", linewidth=0.8, linestyle="--")
    axes.set(xlabel="the classifier's probability of the right digit", ylabel="the detector's of an attack")
    figure.legend(frameon=False, loc="outside upper center", ncols=3, markerscale=3)
    figure.savefig("adversarial_detector.png")


def main():
    """One seed of the claim `adversarial_detector`."""
    for name, value in measure(0).items():
        print(f"{name}: {value:.1%}")
    try:
        draw()
        print("picture: adversarial_detector.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
