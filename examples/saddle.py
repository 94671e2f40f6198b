"""A saddle, x^2 - y^2: how its curvature is seen without the Hessian, and how many steps optimizers take to leave it.

At (1, 1e-6) the way down, along y, has next to no gradient. Descent must wait until y has grown by itself, by 2% a
step; momentum in the course's form, whose step is a tenth of the usual one's at first, waits longer; the usual form
goes ten times as far; and Adam, whose steps have one length whatever the gradient's, leaves at once.
"""

import math

import numpy as np

from twingrad import nn, optim

OPTIMIZERS = {
    "descent": lambda model: optim.SGD(model, lr=0.01),
    "momentum (1-beta)": lambda model: optim.SGD(model, lr=0.01, momentum=0.9, form="course"),
    "momentum": lambda model: optim.SGD(model, lr=0.01, momentum=0.9),
    "Adam": lambda model: optim.Adam(model, lr=0.01),
}
STYLES = ({"linewidth": 5, "alpha": 0.4}, {"linewidth": 2.5, "linestyle": "--"}, {"linewidth": 1.2}, {})
"""The first three paths lie on one another."""


class Point(nn.Module):
    """A place (x, y)."""

    def __init__(self):
        self.p = nn.Parameter(np.asarray([1.0, 1e-6]))


def path(make):
    """The places from (1, 1e-6) until |y| reaches 1."""
    model = Point()
    optimizer, places = make(model), [model.p.numpy().copy()]
    while abs(places[-1][1]) < 1:
        x, y = model.p[0], model.p[1]
        optimizer.zero_grad()
        (x**2 - y**2).backward()
        optimizer.step()
        places.append(model.p.numpy().copy())
    return np.asarray(places)


def draw(paths):
    """y over the steps, and the paths over the saddle: saddle.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), dpi=120, layout="constrained")
    growth, plane = figure.subplots(1, 2)
    x, y = np.meshgrid(np.linspace(-0.4, 1.1, 60), np.linspace(-0.2, 1.1, 60))
    plane.contour(x, y, x**2 - y**2, levels=20, linewidths=0.5, colors="#bbbbbb")
    for (name, places), style in zip(paths.items(), STYLES, strict=True):
        growth.semilogy(np.abs(places[:, 1]), label=f"{name}: {len(places) - 1} steps", **style)
        plane.plot(places[:, 0], places[:, 1], **style)
    growth.set(xlabel="steps", ylabel="|y|", title="steps until |y| = 1")
    plane.set(xlabel="x", ylabel="y", title="x² - y²")
    figure.legend(*growth.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    figure.savefig("saddle.png")


def main():
    """Curvature, then the steps of each optimizer."""
    found = optim.curvature(lambda p: p[0] ** 2 - p[1] ** 2, np.asarray([1.0, 1e-6]))
    down = np.abs(found.along_smallest[0]).round(3)
    print(f"curvature from {found.smallest:.3f}, along (x, y) = {down}, to {found.largest:.3f}: a {found.kind}")
    print(
        f"by products with the Hessian alone, {found.products} of them; x falls at rates up to {found.largest_rate:.2f}"
    )
    paths = {name: path(make) for name, make in OPTIMIZERS.items()}
    for name, places in paths.items():
        print(f"{name}: {len(places) - 1} steps to leave")
    print(f"descent in closed form: ln(1e6) / ln(1.02) = {math.log(1e6) / math.log(1.02):.1f}")
    try:
        draw(paths)
        print("picture: saddle.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
