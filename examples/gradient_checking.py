"""Gradient checking: the gradient beside differences, the errors that it finds, and which step to take.

The network of the course's exercise, 3-4-3 with tanh, softmax and L2, is right; then two errors are planted, as a slip
in the code of a gradient would make them: dW2 is doubled, db1 four times what it should be. The check names both
parameters, and no other. At last the step: two-sided differences are off by epsilon^2, one-sided ones by epsilon, until
rounding takes over, in float32 so early that a right gradient looks wrong.
"""

import numpy as np

import twingrad as tg
from twingrad import functional as F
from twingrad.random import normal

X, Y = normal((5, 3), seed=1, stream=0), np.asarray([0, 2, 1, 1, 0])
THETA = [normal(shape, seed=2, stream=i) for i, shape in enumerate([(4, 3), (4,), (3, 4), (3,)])]
LAMBDA = 0.7
STEPS = [10.0**-k for k in range(1, 13)]


@tg.custom_rule(lambda g, out, x: 2.0 * g)
def doubled(x):
    """x, with an error in its gradient."""
    return x


@tg.custom_rule(lambda g, out, x: 4.0 * g)
def four_times(x):
    """x, with a larger one."""
    return x


def cost(W1, b1, W2, b2):
    """J with its penalty, lambda/(2m) times the squares of the weights."""
    z = F.linear(F.tanh(F.linear(X, W1, b1)), W2, b2)
    squares = sum(tg.xp.sum(w * w) for w in (W1, W2))
    return F.softmax_cross_entropy(z, Y) + LAMBDA / (2 * len(X)) * squares


def wrong_cost(W1, b1, W2, b2):
    """The same value, with wrong gradients."""
    return cost(W1, four_times(b1), doubled(W2), b2)


def distances(kind, sides):
    """Of the derivative of theta^3 at 1, which is 3, from its difference, for each step."""
    found = []
    for step in STEPS:
        plus, minus = kind(1) + kind(step), kind(1) - kind(step) * kind(sides == 2)
        difference = float(plus**3 - minus**3) / (step * sides)
        found.append(abs(difference - 3) / (abs(difference) + 3))
    return found


def draw(series):
    """The distance over the step: gradient_checking.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), dpi=120, layout="constrained")
    axes = figure.subplots()
    for name, values in series.items():
        axes.loglog(STEPS, [max(value, 1e-17) for value in values], marker="o", label=name)
    axes.axhspan(1e-17, 1e-7, color="#eeeeee")
    axes.set(xlabel="epsilon", ylabel="distance", title="a right derivative beside its difference; below: great")
    axes.legend(frameon=False)
    figure.savefig("gradient_checking.png")


def main():
    """The network right and wrong, then the table of steps."""
    for name, function in (("right", cost), ("wrong", wrong_cost)):
        print(f"the {name} gradient\n{tg.check_grads(function, *THETA)}\n")
    series = {
        "two-sided": distances(np.float64, 2),
        "one-sided": distances(np.float64, 1),
        "two-sided, float32": distances(np.float32, 2),
    }
    for k, step in enumerate(STEPS):
        print(f"epsilon {step:.0e}: " + ", ".join(f"{name} {values[k]:.1e}" for name, values in series.items()))
    try:
        draw(series)
        print("picture: gradient_checking.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
