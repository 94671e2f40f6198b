"""Softmax regression: C classes, straight lines between them, and logistic regression where C is 2.

z = x W^T + b, a_i = e^z_i / sum of e^z_j: where two of the a_i are equal their z_i are, and that is a straight line.
The hardmax is 1 at the largest z and 0 elsewhere; softmax of c z comes to it as c grows. With two classes a_1 is the
sigmoid of z_1 - z_2: softmax regression from zeros and logistic regression at twice the rate take the same steps.
"""

import numpy as np

import twingrad as tg
from twingrad import functional as F
from twingrad import nn, optim

STEPS, LR = 400, 0.5


def clusters(classes, n=60, seed=0):
    """So many clouds around a circle: x (classes n, 2) and y (classes n,)."""
    y = np.repeat(np.arange(classes), n)
    centres = 2 * np.stack([np.cos(2 * np.pi * y / classes), np.sin(2 * np.pi * y / classes)], axis=1)
    return centres + 0.5 * tg.random.normal((len(y), 2), seed=seed, stream=1), y


def regression(x, y, outputs, loss, lr=LR, steps=STEPS):
    """A layer after so many steps of descent from zeros, and the costs."""
    model = nn.Linear(x.shape[1], outputs, dtype=np.float64, init=nn.init.zeros)
    optimizer, costs = optim.SGD(model, lr=lr), []
    for _ in range(steps):
        cost = loss(model(x), y)
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
        costs.append(float(cost))
    return model, np.asarray(costs)


def two_classes():
    """How far apart softmax of two outputs and logistic regression are: their costs, and their probabilities."""
    x, y = clusters(2)
    soft, soft_costs = regression(x, y, 2, F.softmax_cross_entropy)
    single, costs = regression(x, y[:, None].astype(float), 1, F.binary_cross_entropy, lr=2 * LR)
    with tg.no_grad():
        apart = F.softmax(soft(x)).numpy()[:, 1] - F.sigmoid(single(x)).numpy()[:, 0]
    return np.abs(soft_costs - costs).max(), np.abs(apart).max(), costs[-1]


def draw(counts=(3, 4, 6)):
    """The regions of so many classes: softmax.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.8), dpi=120, layout="constrained")
    a, b = np.meshgrid(np.linspace(-3.6, 3.6, 200), np.linspace(-3.6, 3.6, 200))
    for axes, classes in zip(figure.subplots(1, len(counts)), counts, strict=True):
        x, y = clusters(classes)
        model, _ = regression(x, y, classes, F.softmax_cross_entropy)
        with tg.no_grad():
            read = model(np.stack([a.ravel(), b.ravel()], axis=1)).numpy().argmax(axis=1).reshape(a.shape)
        axes.imshow(read, extent=(-3.6, 3.6, -3.6, 3.6), origin="lower", cmap="Set2", alpha=0.5, vmin=0, vmax=7)
        axes.scatter(*x.T, c=y, cmap="Set2", s=6, vmin=0, vmax=7, edgecolors="#333333", linewidths=0.3)
        axes.set(title=f"C = {classes}", xticks=[], yticks=[])
    figure.savefig("softmax.png")


def main():
    """The course's example; two classes; the slopes."""
    z = np.asarray([5.0, 2.0, -1.0, 3.0])
    print("z", z, "t = e^z", np.exp(z).round(1), "a", F.softmax(z).round(3))
    print("softmax of 2 z", F.softmax(2 * z).round(3), "of 4 z", F.softmax(4 * z).round(3), "hardmax", F.hardmax(z))
    print("class 1 as one of 4:", F.one_hot(np.asarray([1]), 4)[0])
    logits = tg.Tensor(z[None], requires_grad=True)
    cost = F.softmax_cross_entropy(logits, np.asarray([1]))
    cost.backward()
    print(f"its cost -log a_1 = {float(cost):.4f}, with slope a - y:", logits.grad[0].round(3))
    by_cost, by_probability, last = two_classes()
    print(f"C = 2: costs of both regressions over {STEPS} steps differ by at most {by_cost:.1e}, ", end="")
    print(f"probabilities by {by_probability:.1e}; cost at last {last:.4f}")
    try:
        draw()
        print("picture: softmax.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
