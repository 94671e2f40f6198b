"""Batch, mini-batch and stochastic descent; and mini-batches first, then the whole batch, with the optimizer's state.

The same network sees the digits for ten epochs with mini-batches of 1 (stochastic), of 32, and of all examples (batch).
Then a run begins with mini-batches and ends with the whole batch: the optimizer keeps its moments, steps and rate from
one call of `fit` to the next. A new optimizer begins with moments of 0, and its first step takes another way.
"""

import time

import twingrad as tg
from twingrad import optim
from twingrad.train import dense

EPOCHS = 10


def fresh():
    """The network that all runs begin with."""
    return dense(64, 10, hidden=[32], seed=0)


def run(data, batch_size, epochs, model, optimizer):
    """Train on; the history."""
    options = {"epochs": epochs, "batch_size": batch_size, "keep": "last", "device": "cpu"}
    return tg.fit(model, data, optimizer=optimizer, **options)


def draw(by_size, before, later):
    """The training loss over the epochs, by batch size, and of the change between two calls: mini_batches.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), dpi=120, layout="constrained")
    sizes, change = figure.subplots(1, 2)
    for name, history in by_size.items():
        sizes.semilogy([record.epoch for record in history], [record.train_loss for record in history], label=name)
    sizes.set(title="plain descent", ylabel="training loss", xticks=range(0, EPOCHS + 1, 2))
    for name, history in later.items():
        records = [*before, *history]
        change.semilogy(range(1, len(records) + 1), [record.train_loss for record in records], label=name)
    change.axvline(EPOCHS, color="#999999", linewidth=0.8, linestyle="--")
    change.set(title="Adam: mini-batches of 32, then the whole batch", xticks=range(0, 2 * EPOCHS + 1, 4))
    for axes in (sizes, change):
        axes.set_xlabel("epoch")
        axes.legend(frameon=False)
    figure.savefig("mini_batches.png")


def main():
    """Loss and updates by batch size, then the change between two calls."""
    data = tg.data.load("digits").split(seed=0)
    everything, by_size = len(data.train), {}
    for name, batch_size in {"stochastic": 1, "mini-batch": 32, "batch": everything}.items():
        begin = time.perf_counter()
        by_size[name] = history = run(data, batch_size, EPOCHS, fresh(), optim.SGD(lr=0.05))
        seconds = time.perf_counter() - begin
        told = f"{history[-1].step} updates, loss {history[-1].train_loss:.4f}, {seconds:.2f} s"
        print(f"{name} ({batch_size} of {everything}): {told}")

    model, adam = fresh(), optim.Adam(lr=0.01)
    before = run(data, 32, EPOCHS, model, adam)
    print(f"mini-batches first: loss {before[-1].train_loss:.4f} after {adam.steps_taken} steps of Adam")
    weights = model.state_dict()
    after = run(data, everything, EPOCHS, model, adam)
    told = f"loss {after[0].train_loss:.4f}, at last {after[-1].train_loss:.4f}, after {adam.steps_taken} steps"
    print(f"then the whole batch, with the same Adam: {told}")
    model.load_state_dict(weights)
    anew = run(data, everything, EPOCHS, model, optim.Adam(lr=0.01))
    told = f"loss {anew[0].train_loss:.4f}, at last {anew[-1].train_loss:.4f}"
    print(f"the whole batch with a new Adam, which steps as far in every direction at first: {told}")
    try:
        draw(by_size, before, {"the same Adam": after, "a new Adam": anew})
        print("picture: mini_batches.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
