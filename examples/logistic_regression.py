"""Logistic regression three times: a loop over examples and inputs, vectorised, and fused; the same numbers, timed.

The course's first program. One step of descent on m examples with n inputs:

    a = sigma(x w + b)    J = -mean(y log a + (1 - y) log(1 - a))    dw = x^T (a - y) / m    db = mean(a - y)

The loop is plain Python; the vectorised form is four lines of NumPy; the fused one is a captured step of the library,
whose gradients nobody has written down. Vectorising is what pays; with one output there is little left to fuse, and
less the larger the product is.
"""

import math
import time

import numpy as np

import twingrad as tg
from twingrad import functional as F
from twingrad import nn, optim

SIZES, LR, STEPS = ((100, 8), (1000, 64)), 0.5, 5


def table(m, n, seed=0):
    """The examples x (m, n) and their labels y (m,), which x tells in part."""
    x = tg.random.normal((m, n), seed=seed, stream=1).astype(np.float32)
    noise = math.sqrt(n) * tg.random.normal((m,), seed=seed, stream=3)
    score = x @ tg.random.normal((n,), seed=seed, stream=2) + noise
    return x, (score > 0).astype(np.float32)


def loop(x, y):
    """A function that makes one step in plain Python and returns its cost."""
    m, n = x.shape
    x, y, w, b = x.tolist(), y.tolist(), [0.0] * n, [0.0]

    def step():
        cost, dw, db = 0.0, [0.0] * n, 0.0
        for xi, yi in zip(x, y, strict=True):
            z = b[0]
            for j in range(n):
                z += w[j] * xi[j]
            a = 1 / (1 + math.exp(-z))
            cost -= yi * math.log(a) + (1 - yi) * math.log(1 - a)
            for j in range(n):
                dw[j] += (a - yi) * xi[j]
            db += a - yi
        for j in range(n):
            w[j] -= LR * dw[j] / m
        b[0] -= LR * db / m
        return cost / m

    return step


def vectorised(x, y):
    """The same step in NumPy."""
    w, b = np.zeros(x.shape[1], np.float32), np.zeros(1, np.float32)

    def step():
        a = 1 / (1 + np.exp(-(x @ w + b)))
        cost = -np.mean(y * np.log(a) + (1 - y) * np.log(1 - a))
        w[:] -= LR * (x.T @ (a - y)) / len(x)
        b[:] -= LR * np.mean(a - y)
        return float(cost)

    return step


def fused(x, y):
    """The same step, captured: product, cost, gradients and update are one call, with the cost from logits."""
    model, targets = nn.Linear(x.shape[1], 1, init=nn.init.zeros), y[:, None]
    optimizer = optim.SGD(model, lr=LR)

    def step():
        cost = F.binary_cross_entropy(model(x), targets)
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
        return cost

    captured = tg.capture(step, fallback=True)
    return lambda: float(captured())


def seconds(step, least=0.2):
    """The median time of a step, of at least three."""
    times, begin = [], time.perf_counter()
    while len(times) < 3 or time.perf_counter() - begin < least:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def draw(times):
    """The times, on a logarithmic axis: logistic_regression.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 2.2), dpi=120, layout="constrained")
    for axes, ((m, n), found) in zip(figure.subplots(1, len(times), sharey=True), times.items(), strict=True):
        bars = axes.barh(list(found), [1e3 * each for each in found.values()])
        axes.bar_label(bars, fmt=" %.3g")
        axes.set(xscale="log", xlim=(1e-3, 100), xlabel="milliseconds for a step", title=f"{m} examples of {n} inputs")
    figure.savefig("logistic_regression.png")


def main():
    """The costs of the first steps, which must agree; then the times."""
    times = {}
    for m, n in SIZES:
        print(f"{m} examples of {n} inputs")
        data, found = table(m, n), times.setdefault((m, n), {})
        for name, make in {"loop": loop, "vectorised": vectorised, "fused": fused}.items():
            step = make(*data)
            costs = " ".join(f"{step():.5f}" for _ in range(STEPS))
            found[name] = seconds(step)
            told = f"{1e3 * found[name]:.3f} ms, {found['loop'] / found[name]:.0f} times as fast as the loop"
            told += f", {found['vectorised'] / found[name]:.2g} times as the vectorised" if name == "fused" else ""
            print(f"  {name}: costs {costs}; {told}")
    try:
        draw(times)
        print("picture: logistic_regression.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
