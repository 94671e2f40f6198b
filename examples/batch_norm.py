"""Batch norm: how far the inputs of a deep layer drift while a network learns, and the noise that a mini-batch brings.

The course's reason for batch norm is that later layers see inputs that move less. A network of five layers learns the
digits by plain descent; every few updates the mean and deviation of what enters the last layer's units are measured.
The drift is how far the means move between two measurements, in deviations: without batch norm far, with it little,
because then nothing but its shift, a parameter, moves them. Whether that is why it helps is another question:
Santurkar et al. 2018, "How does batch normalization help optimization?", find other reasons.

A normalised value depends on who else is in the mini-batch. Its deviation over random mini-batches of B falls as
1/sqrt(B): some noise, which regularises a little, with small batches, and next to none with large ones.
"""

import numpy as np

import twingrad as tg
from twingrad import nn, optim
from twingrad.autodiff import no_grad
from twingrad.train import dense

SIZES, EVERY = (4, 8, 16, 32, 64, 128, 256), 4


def entering(model, x):
    """The inputs of the last activation: z, or z normalised."""
    for layer in list(model)[:-2]:
        x = layer(x)
    return np.asarray(x.data, np.float64)


def learn(data, batch_norm, lr=0.05, epochs=8):
    """Means and deviations of the units by the number of updates, each (T, 32), and the history."""
    model, found = dense(64, 10, hidden=[32] * 5, batch_norm=batch_norm, seed=0), []

    def watch(record):
        training = model.training
        model.eval()
        with no_grad():
            z = entering(model, data.train.x)
        model.train(training)
        found.append((z.mean(axis=0), z.std(axis=0)))

    options = {"epochs": epochs, "batch_size": 32, "keep": "last", "evaluate_every": EVERY, "device": "cpu"}
    history = tg.fit(model, data, optimizer=optim.SGD(lr=lr), callbacks=[watch], **options)
    means, deviations = np.transpose(found, (1, 0, 2))
    return means, deviations, history


def drift(means, deviations):
    """How far the mean of a unit moves between two measurements, in its deviations: the mean over units and times."""
    return np.mean(np.abs(np.diff(means, axis=0)) / np.maximum(deviations[:-1], 1e-12))


def noise(x, size, batches=300, seed=0):
    """The deviation of one example's normalised values over random mini-batches of a size, in the mean over units."""
    layer = nn.BatchNorm(x.shape[1]).train()
    found = []
    with no_grad():
        for step in range(batches):
            others = 1 + tg.random.permutation(len(x) - 1, seed=seed, stream=1, step=step)[: size - 1]
            found.append(layer(x[np.append(0, others)]).numpy()[0])
    return float(np.std(found, axis=0).mean())


def draw(runs, by_size):
    """Means of ten units over the updates, and the noise by batch size: batch_norm.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.4), dpi=120, layout="constrained")
    *panels, last = figure.subplots(1, 3)
    panels[1].sharey(panels[0])
    for axes, (name, (means, deviations, _)) in zip(panels, runs.items(), strict=True):
        updates = EVERY * np.arange(1, len(means) + 1)
        axes.plot(updates, (means / deviations.mean())[:, :10], linewidth=0.8)
        axes.set(title=name, xlabel="updates", ylabel="means of ten units, in deviations")
    last.loglog(list(by_size), list(by_size.values()), "o-", label="measured")
    last.loglog(list(by_size), [1 / np.sqrt(size) for size in by_size], "--", color="#999999", label="1 / sqrt(B)")
    last.set(xlabel="batch size B", title="noise of a normalised value")
    last.legend(frameon=False)
    figure.savefig("batch_norm.png")


def main():
    """Drift and accuracy with and without; then the noise by batch size."""
    data = tg.data.load("digits").split(seed=0)
    runs = {
        name: learn(data, batch_norm) for name, batch_norm in {"without batch norm": False, "with it": True}.items()
    }
    for name, (means, deviations, history) in runs.items():
        spread = deviations.mean(axis=1)
        told = f"deviation {spread[0]:.2f} at first, {spread[-1]:.2f} at last"
        print(f"{name}: drift {drift(means, deviations):.3f}, {told}, dev accuracy {history[-1].dev_accuracy:.1%}")
    by_size = {size: noise(data.train.x @ tg.random.normal((64, 32), seed=0, stream=2), size) for size in SIZES}
    for size, value in by_size.items():
        print(f"mini-batches of {size}: noise {value:.3f}, times sqrt(B) {value * np.sqrt(size):.2f}")
    try:
        draw(runs, by_size)
        print("picture: batch_norm.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
