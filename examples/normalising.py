"""Normalising inputs: the condition number of the cost before and after, and what descent makes of it.

A linear regression on two inputs, one from 1 to 1000 and one from 0 to 1. Its cost is quadratic in the weights, with
the Hessian (2/m) X^T X. The condition number is the largest curvature over the smallest, and bounds descent: the rate
must stay below 2 / largest, and then the flattest direction needs about as many steps as that number. With mean 0 and
deviation 1 the valley becomes a bowl. New data are normalised by the training set's mean and deviation.
"""

import numpy as np

import twingrad as tg
from twingrad import functional as F
from twingrad import nn, optim
from twingrad.data import Dataset, Preprocessing
from twingrad.xp import asarray

STEPS = 50


def table(m=150, seed=16):
    """x (m, 2) and a target that depends on both inputs alike."""
    share = tg.random.uniform((m, 2), seed=seed, stream=1)
    return share * [999, 1] + [1, 0], share @ [3.0, 2.0]


def curvature(x):
    """The least and the largest eigenvalue of the Hessian."""
    return np.linalg.eigvalsh(2 / len(x) * x.T @ x)[[0, -1]]


def descend(x, y, lr):
    """The weights and costs over so many steps of descent on the whole batch, from weights of 0."""
    model = nn.Linear(2, 1, bias=False, dtype=np.float64, init=nn.init.zeros)
    optimizer, places, costs = optim.SGD(model, lr=lr), [], []
    for _ in range(STEPS):
        optimizer.zero_grad()
        cost = F.mean_squared_error(model(asarray(x)), asarray(y[:, None]))
        cost.backward()
        places.append(model.weight.numpy()[0].copy())
        costs.append(float(cost))
        optimizer.step()
    return np.asarray(places), costs


def draw(found):
    """The cost over the weights with the path of descent, and over the steps: normalising.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.6), dpi=120, layout="constrained")
    *planes, curves = figure.subplots(1, 3)
    for axes, (name, (x, y, places, costs)) in zip(planes, found.items(), strict=True):
        best = np.linalg.lstsq(x, y, rcond=None)[0]
        reach = 1.3 * np.abs(best)
        a, b = np.meshgrid(*(np.linspace(w - r, w + r, 80) for w, r in zip(best, reach, strict=True)))
        cost = np.mean((a[..., None] * x[:, 0] + b[..., None] * x[:, 1] - y) ** 2, axis=-1)
        axes.contour(a, b, cost, levels=15, linewidths=0.6, colors="#aaaaaa")
        axes.plot(*places.T, ".-", linewidth=0.8, markersize=3)
        axes.plot(*best, "x", color="black")
        axes.set(title=name, xlabel="w1", ylabel="w2")
        curves.semilogy(np.maximum(costs, 1e-12), label=name)
    curves.set(xlabel="step of descent", ylabel="cost")
    curves.legend(frameon=False)
    figure.savefig("normalising.png")


def main():
    """Both condition numbers; then both descents, each at a rate of 1 / largest."""
    x, y = table()
    data = Dataset(x, y)
    scaling = Preprocessing.fit(data, scaling="standardise")
    normalised, centred = np.asarray(scaling.apply(data), np.float64), y - y.mean()
    found = {}
    for name, (inputs, targets) in {"as they are": (x, y), "normalised": (normalised, centred)}.items():
        least, largest = curvature(inputs)
        places, costs = descend(inputs, targets, 1 / largest)
        found[name] = inputs, targets, places, costs
        print(f"{name}: condition number {largest / least:.3g}, rate {1 / largest:.2g}")
        print(f"  cost {costs[0]:.3f}, after 10 steps {costs[10]:.2g}, after {STEPS - 1} {costs[-1]:.2g}")
    try:
        draw(found)
        print("picture: normalising.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
