"""Dropout on the input of a linear regression is L2, exactly: the mean over all masks, against the closed form.

Each input is kept with probability p and then divided by p, so that its mean stays x_j and its variance is
x_j^2 (1 - p) / p. The squared error of w.x is its bias squared and its variance:

    E[(y - w.x~)^2] = (y - w.x)^2 + (1 - p)/p sum_j (w_j x_j)^2

an L2 penalty on each weight, in proportion to its input's size. Least squares with that penalty gives the weights that
training with dropout goes to.
"""

import itertools
import math

import numpy as np

import twingrad as tg
from twingrad import functional as F
from twingrad import nn, optim
from twingrad.xp import asarray

KEEP = 0.8


def over_all_masks(w, x, y, keep=KEEP):
    """The mean squared error over the 2^n masks, each with its probability."""
    total = 0.0
    for mask in itertools.product((0, 1), repeat=len(x)):
        chance = math.prod(keep if kept else 1 - keep for kept in mask)
        total += chance * (y - np.sum(w * x * mask) / keep) ** 2
    return total


def closed_form(w, x, y, keep=KEEP):
    """The squared error without dropout, and the penalty."""
    return (y - w @ x) ** 2 + (1 - keep) / keep * np.sum((w * x) ** 2)


def table(n=400, seed=0):
    """Five inputs of different sizes, and a linear target with noise."""
    x = tg.random.normal((n, 5), seed=seed, stream=1) * [0.3, 0.6, 1.0, 1.5, 2.0]
    return x, x @ [2.0, -1.0, 1.0, 0.5, -0.5] + 0.3 * tg.random.normal((n,), seed=seed, stream=2)


def ridge(x, y, keep=KEEP):
    """The minimum of the closed form's mean: (X^T X + (1 - p)/p diag(X^T X)) w = X^T y."""
    gram = x.T @ x
    return np.linalg.solve(gram + (1 - keep) / keep * np.diag(np.diag(gram)), x.T @ y)


def trained(x, y, keep=KEEP, steps=4000):
    """The mean weights of the second half of steps with dropout, each with another mask, at a small rate."""
    model = nn.Sequential(nn.Dropout(1 - keep), nn.Linear(5, 1, bias=False, dtype=np.float64), seed=0)
    optimizer, weights = optim.SGD(model, lr=0.02), []
    inputs, targets = asarray(x), asarray(y[:, None])
    for _ in range(steps):
        optimizer.zero_grad()
        F.mean_squared_error(model(inputs), targets).backward()
        optimizer.step()
        weights.append(model[1].weight.numpy()[0].copy())
    return np.mean(weights[steps // 2 :], axis=0)


def draw(found):
    """The weights: dropout_as_l2.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.5), dpi=120, layout="constrained")
    axes = figure.subplots()
    for i, (name, w) in enumerate(found.items()):
        axes.bar(np.arange(5) + 0.27 * (i - 1), w, width=0.25, label=name)
    axes.set(xlabel="weight of input", ylabel="value", xticks=range(5))
    axes.axhline(0, color="#999999", linewidth=0.8)
    axes.legend(frameon=False)
    figure.savefig("dropout_as_l2.png")


def main():
    """One example with all its masks; then a regression."""
    w, x, y = np.array([1.0, -2.0, 3.0]), np.array([0.5, 1.0, -1.0]), 0.7
    print(f"mean over all 8 masks {over_all_masks(w, x, y):.4f}, closed form {closed_form(w, x, y):.4f}")
    inputs, targets = table()
    plain = np.linalg.lstsq(inputs, targets, rcond=None)[0]
    found = {"least squares": plain, "with the penalty": ridge(inputs, targets), "dropout": trained(inputs, targets)}
    for name, weights in found.items():
        print(f"{name}: {' '.join(f'{value:.3f}' for value in weights)}")
    print(f"dropout and penalty differ by at most {np.abs(found['dropout'] - found['with the penalty']).max():.4f}")
    try:
        draw(found)
        print("picture: dropout_as_l2.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
