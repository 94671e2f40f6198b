"""Multi-task learning: eight questions about the digits in one network, against a network for each, with few labels.

Each of 400 pictures has the answer to one question alone, drawn by the seed: 50 answers for each question, the other
seven missing. The shared network of 64-128-64-8 learns from all 400 pictures, the missing answers masked; each separate
network of 64-128-64-1 learns from the 50 pictures that answer its question. Both see each answer as often.
"""

import numpy as np

import twingrad as tg
from twingrad import optim
from twingrad.data import Dataset
from twingrad.train import dense, evaluate

QUESTIONS = {
    "even": (0, 2, 4, 6, 8),
    "at least 5": (5, 6, 7, 8, 9),
    "prime": (2, 3, 5, 7),
    "divisible by 3": (0, 3, 6, 9),
    "a square": (0, 1, 4, 9),
    "holds a loop": (0, 4, 6, 8, 9),
    "all straight": (1, 4, 7),
    "ends in -ve or -ne": (1, 5, 9),
}
EACH, EPOCHS, BATCH, HIDDEN = 50, 60, 10, [128, 64]


def answers(y):
    """(N, 8): 1 where the answer is yes."""
    return np.stack([np.isin(y, digits) for digits in QUESTIONS.values()], axis=1).astype(np.float32)


def parts(seed):
    """Pictures with one answer each, and test pictures with all of them."""
    digits, count = tg.data.load("digits"), len(QUESTIONS)
    order = tg.random.permutation(len(digits), seed=seed, stream=1)
    index, rest = order[: EACH * count], order[EACH * count :]
    y = answers(digits.y[index])
    y[np.arange(len(y))[:, None] % count != np.arange(count)] = np.nan
    classes = tuple(QUESTIONS)
    train = Dataset(digits.x[index], y, classes, task="multi-label")
    return train, Dataset(digits.x[rest], answers(digits.y[rest]), classes, task="multi-label")


def fitted(model, data, seed, batch_size):
    """Train to the end."""
    options = {"epochs": EPOCHS, "batch_size": batch_size, "keep": "last", "evaluate_every": 10**6, "device": "cpu"}
    tg.fit(model, data, optimizer=optim.Adam(lr=3e-3), seed=seed, **options)
    return model


def by_question(seed):
    """The test accuracy of each question: of the shared network and of the separate ones."""
    train, test = parts(seed)
    count = len(QUESTIONS)
    shared = evaluate(fitted(dense(64, count, hidden=HIDDEN, seed=seed), train, seed, BATCH * count), test).by_label
    separate = []
    for number in range(count):
        there = ~np.isnan(train.y[:, number])
        own = Dataset(train.x[there], train.y[there, number].astype(np.int64), ("no", "yes"))
        model = fitted(dense(64, 1, hidden=HIDDEN, seed=seed), own, seed, BATCH)
        asked = Dataset(test.x, test.y[:, number].astype(np.int64), ("no", "yes"))
        separate.append(evaluate(model, asked).accuracy)
    return list(shared), separate


def measure(seed):
    """What one seed shows, as the claim `multi_task` states it: means over the questions."""
    shared, separate = by_question(seed)
    return {"accuracy, shared": float(np.mean(shared)), "accuracy, separate": float(np.mean(separate))}


def draw(shared, separate):
    """A pair of bars for each question: multi_task.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), dpi=120, layout="constrained")
    axes, places = figure.subplots(), np.arange(len(QUESTIONS))
    axes.barh(places + 0.2, shared, 0.4, label="one network, shared")
    axes.barh(places - 0.2, separate, 0.4, label="a network for each")
    axes.set_yticks(places, list(QUESTIONS))
    axes.set(xlim=(0.5, 1), xlabel="test accuracy")
    axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    figure.savefig("multi_task.png")


def main():
    """One seed by question; the claim `multi_task` is measured with twenty."""
    shared, separate = by_question(0)
    for name, a, b in zip(QUESTIONS, shared, separate, strict=True):
        print(f"{name}: shared {a:.1%}, separate {b:.1%}")
    print(f"mean: shared {np.mean(shared):.1%}, separate {np.mean(separate):.1%}")
    try:
        draw(shared, separate)
        print("picture: multi_task.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
