"""L1 and zeros: the gradient of the penalty never gives one, a proximal step does.

A linear target of 50 inputs needs only 5 of them. The gradient of |w| is +-1 wherever w is, so that a step goes past 0
and back again, ever so close. The proximal step of `l1=` draws each weight towards 0 by lr l1 and stops there. Then the
digits: how many weights a network can do without.
"""

import numpy as np

import twingrad as tg
from twingrad import functional as F
from twingrad import nn, optim, xp
from twingrad.train import dense, evaluate

N, NEEDED, L1, STEPS = 50, 5, 0.05, 2000


def table(m=400, seed=0):
    """x (m, 50) and y = x w + noise, where the first 5 weights are not 0."""
    x = tg.random.normal((m, N), seed=seed, stream=1)
    w = np.where(np.arange(N) < NEEDED, [1.0, -2.0] * (N // 2), 0)
    return x, (x @ w + 0.1 * tg.random.normal((m,), seed=seed, stream=2))[:, None]


def weights(make, penalty=0.0):
    """The weights after training; penalty: l1 as a term of the cost."""
    x, y = table()
    model = nn.Linear(N, 1, bias=False, dtype=np.float64)
    optimizer, x, y = make(model), xp.asarray(x), xp.asarray(y)
    for _ in range(STEPS):
        cost = F.mean_squared_error(model(x), y) + penalty * xp.sum(xp.abs(model.weight))
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
    return model.weight.numpy()[0].copy()


def digits(l1):
    """The share of weights that are 0, and the test error, of a network trained with this l1."""
    data = tg.data.load("digits").split(seed=0)
    model = dense(64, 10, hidden=[64], seed=0)
    options = {"epochs": 40, "batch_size": 64, "keep": "last", "train_loss": "steps", "device": "cpu"}
    tg.fit(model, data, optimizer=optim.SGD(lr=0.05, momentum=0.9, l1=l1), **options)
    zeros = np.concatenate([p.numpy().ravel() == 0 for p in model.parameters() if p.decay])
    return zeros.mean(), 1 - evaluate(model, data.test).accuracy


def draw(found, by_l1):
    """The weights, and the test error over the share of zeros: sparsity.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.5), dpi=120, layout="constrained")
    sizes, network = figure.subplots(1, 2)
    for name, w in found.items():
        sizes.semilogy(np.sort(np.maximum(np.abs(w), 1e-12))[::-1], ".", label=name)
    sizes.set(xlabel="weight, by size", ylabel="|w|, 0 shown as 1e-12")
    sizes.legend(frameon=False)
    network.plot(*np.transpose(list(by_l1.values())), "o-")
    network.set(xlabel="share of weights that are 0", ylabel="test error, digits")
    figure.savefig("sparsity.png")


def main():
    """Zeros of each way; then the network."""
    ways = {
        "penalty, descent": ((lambda model: optim.SGD(model, lr=0.01)), L1),
        "penalty, Adam": ((lambda model: optim.Adam(model, lr=0.01)), L1),
        "proximal step, descent": ((lambda model: optim.SGD(model, lr=0.01, l1=L1)), 0.0),
        "proximal step, Adam": ((lambda model: optim.Adam(model, lr=0.01, l1=L1)), 0.0),
    }
    found = {name: weights(*way) for name, way in ways.items()}
    for name, w in found.items():
        needless = np.abs(w[NEEDED:]).max()
        print(f"{name}: {np.sum(w == 0)} of {N} weights are 0; the largest needless one is {needless:.1g}")
    by_l1 = {l1: digits(l1) for l1 in (0.0, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2)}
    for l1, (zeros, error) in by_l1.items():
        print(f"digits, l1 {l1:g}: {zeros:.1%} of the weights are 0, test error {error:.1%}")
    try:
        draw(found, by_l1)
        print("picture: sparsity.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
