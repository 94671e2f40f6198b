"""The learning-rate range test: one short run finds a rate for each optimizer, and whole runs show how good it is."""

from pathlib import Path

import twingrad as tg
from twingrad import optim
from twingrad.train import dense, lr_range_test

OPTIMIZERS = {
    "SGD": optim.SGD,
    "momentum": lambda **options: optim.SGD(momentum=0.9, **options),
    "RMSprop": optim.RMSprop,
    "Adam": optim.Adam,
}
FACTORS = (0.01, 0.1, 1, 10, 100)


def fresh():
    """The network that all runs begin with."""
    return dense(64, 10, hidden=[64, 32], batch_norm=True, seed=0)


def main():
    """The suggestion for each optimizer, and the dev loss after eight epochs with multiples of it."""
    data = tg.data.load("digits").split(seed=0)
    for name, make in OPTIMIZERS.items():
        found = lr_range_test(fresh(), data, optimizer=make(), device="cpu")
        losses = []
        for factor in FACTORS:
            try:
                optimizer = make(lr=found.suggestion * factor)
                history = tg.fit(fresh(), data, optimizer=optimizer, epochs=8, device="cpu")
                losses.append(f"{history.best.dev_loss:.3f} at {factor:g} times")
            except tg.train.Diverged:
                losses.append(f"diverged at {factor:g} times")
        print(f"{name}: suggested {found.suggestion:.2g} after {len(found.rates)} steps; dev loss {', '.join(losses)}")
    picture = found.png()
    if picture:
        Path("learning_rate.png").write_bytes(picture)
        print("picture: learning_rate.png")
    else:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
