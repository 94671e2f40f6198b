"""One model, watched: it learns a few epochs, is looked at, a hyperparameter is changed, and it goes on; or goes back.

The digits with a rate that is too large, as one might begin: the loss falls no further, so the rate is lowered, twice.
An attempt with mini-batches of 512 is compared with one of 64 from the same weights, by going back.
"""

import twingrad as tg
from twingrad import optim
from twingrad.train import dense
from twingrad.tune import Babysit


def draw(history, given_up, changes):
    """The losses, what was given up, and a line at each change: babysitting.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), dpi=120, layout="constrained")
    axes = figure.subplots()
    for part, colour in (("train", "#1f6fb4"), ("dev", "#c4561e")):
        for records, style in ((history, "-"), (given_up, ":")):
            losses = [getattr(record, f"{part}_loss") for record in records]
            label = part if records is history else f"{part}, given up"
            axes.semilogy([record.epoch for record in records], losses, style, color=colour, label=label)
    for epoch, what in changes:
        axes.axvline(epoch + 0.5, color="#999999", linewidth=0.8, linestyle="--")
        axes.text(epoch + 0.6, axes.get_ylim()[1] * 0.8, what, rotation=90, va="top", fontsize=8)
    axes.set(xlabel="epoch", ylabel="loss", xticks=range(0, len(history) + 1, 5))
    figure.legend(frameon=False, loc="outside right center")
    figure.savefig("babysitting.png")


def main():
    """Five epochs, a look, a change, and so on."""
    data = tg.data.load("digits").split(seed=0)
    run = Babysit(dense(64, 10, hidden=[64, 32], seed=0), data, optimizer=optim.Adam(lr=0.05), device="cpu")
    changes = []
    history = run.go(5)
    print(f"lr 0.05: {history[-1]}, loss {history[-1].train_loss:.4f}")
    for rate in (0.005, 0.0005):
        run.set(lr=rate)
        changes.append((len(run.history), f"lr {rate:g}"))
        history = run.go(5)
        print(f"lr {rate:g}: {history[-1]}, loss {history[-1].train_loss:.4f}")
    run.set(batch_size=512)
    given_up = [run.history[-1], *run.go(5)[-5:]]
    print(f"mini-batches of 512: loss {given_up[-1].train_loss:.4f}")
    run.back()
    run.set(batch_size=64)
    changes.append((len(run.history), "batches of 512, of 64"))
    print(f"back: {len(run.history)} epochs, loss {run.history[-1].train_loss:.4f}")
    history = run.go(5)
    print(f"mini-batches of 64 instead: loss {history[-1].train_loss:.4f}")
    print("log:", *run.log, sep="\n  ")
    try:
        draw(history, given_up, changes)
        print("picture: babysitting.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
