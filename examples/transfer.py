"""Transfer learning with 100 labelled pictures: where it pays, and where it does not.

The old network has learned to name clothes, from 10,000 pictures of Fashion-MNIST. The new task is, first, another
question about the same kind of pictures, as the course's wake word after speech recognition: whether a picture is one
of five classes that the seed draws. Second, classes that the old network has never seen: it learned five of the ten,
and the new task is to tell the other five apart. Each time the last layer is replaced and trained while the rest is
frozen; then all layers are tuned, the old ones at a tenth of the rate. The rival learns from the 100 pictures alone.
"""

import functools

import numpy as np

import twingrad as tg
from twingrad import nn, optim
from twingrad.data import Dataset
from twingrad.train import dense, evaluate

OLD, LABELLED, TEST, HIDDEN = 10_000, 100, 2_000, [128, 64]


@functools.cache
def pictures():
    """All pictures as numbers in [0, 1], and their classes; read once."""
    data = tg.data.load("fashion-mnist")
    return np.asarray(data.x[:]).reshape(len(data), -1), data.y


def part(index, kinds):
    """These pictures, with the place of their class among `kinds`: (one or more classes, ...)."""
    x, y = pictures()
    labels = np.zeros(len(index), np.int64)
    for number, kind in enumerate(kinds):
        labels[np.isin(y[index], kind)] = number
    return Dataset(x[index].astype(np.float32) / 255, labels, classes=tuple(map(str, range(len(kinds)))))


def question(seed):
    """Pictures of all classes by name; of others whether they are one of five, labelled and to test."""
    order, drawn = tg.random.permutation(70_000, seed=seed, stream=1), tg.random.permutation(10, seed=seed, stream=2)
    asked = (drawn[:5], drawn[5:])
    old, labelled, test = np.split(order[: OLD + LABELLED + TEST], (OLD, OLD + LABELLED))
    return part(old, tuple(range(10))), part(labelled, asked), part(test, asked)


def unseen(seed):
    """Pictures of five classes by name; of the other five too, labelled and to test."""
    order, drawn = tg.random.permutation(70_000, seed=seed, stream=1), tg.random.permutation(10, seed=seed, stream=2)
    old, new = (order[np.isin(pictures()[1][order], kinds)] for kinds in (drawn[:5], drawn[5:]))
    labelled, test = new[:LABELLED], new[LABELLED : LABELLED + TEST]
    return part(old[:OLD], drawn[:5]), part(labelled, drawn[5:]), part(test, drawn[5:])


def fitted(model, data, seed, lr, epochs, batch_size=20):
    """Train to the end."""
    options = {"epochs": epochs, "batch_size": batch_size, "keep": "last", "evaluate_every": 10**6, "device": "cpu"}
    tg.fit(model, data, optimizer=optim.Adam(lr=lr), seed=seed, **options)
    return model


def compared(seed, old, labelled, test):
    """Test accuracies: from scratch; with the last layer trained alone; with all layers tuned."""
    outputs = labelled.outputs
    scratch = fitted(dense(784, outputs, hidden=HIDDEN, seed=seed), labelled, seed, 1e-3, 100)
    model = fitted(dense(784, old.outputs, hidden=HIDDEN, seed=seed), old, seed, 1e-3, 5, batch_size=64)
    nn.replace_last(model, nn.Linear(HIDDEN[-1], outputs))
    kept = [layer for layer in list(model)[:-1] if layer.parameters()]
    nn.freeze(*kept)
    alone = evaluate(fitted(model, labelled, seed, 1e-2, 60), test).accuracy
    nn.freeze(*kept, frozen=False)
    nn.scale_lr(*kept, factor=0.1)
    tuned = evaluate(fitted(model, labelled, seed, 1e-3, 40), test).accuracy
    return {"from scratch": evaluate(scratch, test).accuracy, "last layer trained": alone, "fine-tuned": tuned}


def measure(seed):
    """What one seed shows, as the claim `transfer` states it."""
    tasks = {"new question": question(seed), "unseen classes": unseen(seed)}
    found = {task: compared(seed, *data) for task, data in tasks.items()}
    return {f"{task}, {name}": value for task, row in found.items() for name, value in row.items()}


def draw(rows):
    """A line for each seed: transfer.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), dpi=120, layout="constrained")
    for axes, task in zip(figure.subplots(1, 2, sharey=True), ("new question", "unseen classes"), strict=True):
        for seed, row in enumerate(rows):
            names = [name for name in row if name.startswith(task)]
            ways = [name.partition(", ")[2].replace(" ", "\n", 1) for name in names]
            axes.plot(ways, [row[name] for name in names], "o-", label=f"seed {seed}")
        axes.set(title=task, xlim=(-0.3, 2.3))
        axes.legend(frameon=False, loc="lower right")
    figure.axes[0].set_ylabel("test accuracy")
    figure.savefig("transfer.png")


def main():
    """Two seeds; the claim `transfer` is measured with twenty."""
    try:
        rows = [measure(seed) for seed in range(2)]
    except FileNotFoundError as error:
        print(error)
        return
    for name in rows[0]:
        print(f"{name}: {', '.join(f'{row[name]:.1%}' for row in rows)}")
    try:
        draw(rows)
        print("picture: transfer.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
