"""A lambda so large that the network turns linear: L2 holds the weights where tanh is a straight line.

Two moons that reach into each other cannot be parted by a line. The same network of tanh units is trained with more and
more weight_decay = lambda/m. "Straight" is the share of the logit's variance over the plane that a linear function of
the inputs explains: 1 is a linear network, whatever its layers. With still more lambda nothing is learned at all.
"""

import numpy as np

import twingrad as tg
from twingrad import optim
from twingrad.data import Dataset
from twingrad.train import dense, evaluate, predict_probabilities

LAMBDAS = (0.0, 0.001, 0.01, 0.03, 0.1, 0.3)


def moons(n, seed):
    """Two half circles that reach into each other, with noise."""
    angle = np.pi * tg.random.uniform((n,), seed=seed, stream=1)
    y = np.arange(n) % 2
    x = np.stack([np.cos(angle) * (1 - 2 * y) + y, np.sin(angle) * (1 - 2 * y) + 0.5 * y], axis=1)
    return Dataset((x + 0.15 * tg.random.normal((n, 2), seed=seed, stream=2)).astype(np.float32), y)


def train(data, decay):
    """The network of two hidden layers of 16 tanh units."""
    model = dense(2, 1, hidden=[16, 16], activation="tanh", seed=0)
    options = {"epochs": 150, "batch_size": 64, "keep": "last", "train_loss": "steps", "device": "cpu"}
    tg.fit(model, data, optimizer=optim.Adam(lr=0.01, weight_decay=decay), **options)
    return model


def plane(side=40):
    """A grid over the data, as rows."""
    a, b = np.meshgrid(np.linspace(-1.5, 2.5, side), np.linspace(-1.2, 1.7, side))
    return np.stack([a.ravel(), b.ravel()], axis=1).astype(np.float32)


def logits(model, x):
    """What the network gives before the sigmoid."""
    model.eval()
    return np.asarray(model(x).numpy(), np.float64)[:, 0]


def straight(model, x):
    """The share of the logit's variance over x that its best linear approximation explains."""
    z, columns = logits(model, x), np.column_stack([x, np.ones(len(x))])
    rest = z - columns @ np.linalg.lstsq(columns, z, rcond=None)[0]
    return 1 - rest.var() / z.var() if z.var() > 1e-12 else 1.0


def draw(models, data):
    """The line between the classes, by lambda/m: large_lambda.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 2.4), dpi=120, layout="constrained")
    grid = plane()
    for axes, (decay, model) in zip(figure.subplots(1, len(models)), models.items(), strict=True):
        parts = [column.reshape(40, 40) for column in (*grid.T, predict_probabilities(model, grid)[:, -1])]
        axes.contourf(*parts, levels=[0, 0.5, 1], colors=["#cfe3f5", "#f7d9c4"])
        axes.scatter(*data.x.T, c=data.y, cmap="coolwarm", s=2)
        axes.set(title=f"lambda/m = {decay:g}", xticks=[], yticks=[])
    figure.savefig("large_lambda.png")


def main():
    """Weights, straightness and errors by lambda/m."""
    data, test = moons(400, seed=0), moons(2000, seed=1)
    models = {decay: train(data, decay) for decay in LAMBDAS}
    for decay, model in models.items():
        weights = np.concatenate([p.numpy().ravel() for p in model.parameters() if p.decay])
        errors = [1 - evaluate(model, part).accuracy for part in (data, test)]
        told = f"weights {np.sqrt(np.mean(weights**2)):.3f}, straight {straight(model, plane()):.3f}"
        print(f"lambda/m {decay:g}: {told}, train error {errors[0]:.1%}, test error {errors[1]:.1%}")
    try:
        draw(models, data)
        print("picture: large_lambda.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
