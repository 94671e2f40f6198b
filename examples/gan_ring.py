"""A generative adversarial network on a ring of eight modes, the test of mode collapse: does it cover them all?

Eight normal distributions of deviation 0.1 stand on a circle of radius 2. A generator of two numbers of noise learns
them from samples, the learning rates of both networks falling to 0 by a cosine, which ends the chase around the ring.
A sample is good within three deviations of a mode; a mode is covered by its share of all samples, 1/8 at best.

The course prefers the non-saturating loss, for the minimax one has little slope where the discriminator sees through
the generator. On this ring it is the other way round: over forty seeds the minimax loss gives the rarest mode 2.1%
[1.1%, 3.1%] more of the samples.
"""

import functools

import numpy as np

import twingrad as tg
from twingrad import nn, optim
from twingrad.gan import Game
from twingrad.optim.schedules import Cosine
from twingrad.random import normal, uniform

DEVIATION, WIDTH, BATCH, STEPS = 0.1, 64, 128, 4000
ANGLES = np.arange(8) * np.pi / 4
FORMS = ("non-saturating", "minimax")
MODES = 2 * np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)


def ring(n, seed):
    """n samples of the eight modes: (n, 2) float32."""
    which = np.floor(8 * uniform((n,), seed=seed, stream=1)).astype(int)
    return (MODES[which] + DEVIATION * normal((n, 2), seed=seed, stream=2)).astype(np.float32)


def noise(n, seed, step=0):
    return normal((n, 2), seed=seed, stream=3, step=step).astype(np.float32)


@functools.lru_cache(2)
def train(seed, form="non-saturating", k=1, steps=STEPS):
    """The generator after so many rounds."""
    generator = nn.Sequential(
        nn.Linear(2, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 2), seed=seed
    )
    leak = [nn.LeakyReLU(0.2) for _ in range(2)]
    discriminator = nn.Sequential(
        nn.Linear(2, WIDTH), leak[0], nn.Linear(WIDTH, WIDTH), leak[1], nn.Linear(WIDTH, 1), seed=seed + 1
    )
    optimizers = (
        optim.Adam(generator, lr=Cosine(2e-3, length=steps), beta1=0.5),
        optim.Adam(discriminator, lr=Cosine(2e-3, length=steps * k), beta1=0.5),
    )
    game = Game(generator, discriminator, *optimizers, form=form, k=k)
    real = ring(256 * BATCH, seed).reshape(256, BATCH, 2)
    z = noise(512 * BATCH, seed).reshape(512, BATCH, 2)
    for step in range(steps):
        rounds = [(real[(step * k + i) % 256], z[(step * (k + 1) + i) % 512]) for i in range(k)]
        game.play(rounds, z[(step * (k + 1) + k) % 512])
    return generator


def sample(generator, n, seed):
    with tg.no_grad():
        return generator(noise(n, seed, step=1)).numpy()


def coverage(x):
    """The share of good samples, and of each mode among all: (8,)."""
    distance = np.linalg.norm(x[:, None] - MODES, axis=2)
    good = distance.min(axis=1) < 3 * DEVIATION
    return float(good.mean()), np.bincount(distance.argmin(axis=1)[good], minlength=8) / len(x)


def measure(seed, steps=STEPS):
    """What one seed shows, as the claim `gan_ring` states it."""
    found = {}
    for name, form in zip(("", ", minimax"), FORMS, strict=True):
        good, shares = coverage(sample(train(seed, form, steps=steps), 4000, seed))
        found |= {f"good samples{name}": good, f"rarest mode{name}": float(shares.min())}
        found[f"modes above 2%{name}"] = int((shares > 0.02).sum())
    return found


def draw(seed=0):
    """Samples beside the modes, by the form of the loss: gan_ring.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.8), dpi=120, layout="constrained")
    for axes, form in zip(figure.subplots(1, 2, sharex=True, sharey=True), FORMS, strict=True):
        axes.plot(*ring(1000, 5).T, ".", color="#cccccc", markersize=3, label="real")
        x = sample(train(seed, form, steps=STEPS), 1000, seed)
        axes.plot(*x.T, ".", color="#1f6fb4", markersize=2, label="generated")
        axes.set(aspect="equal", title=form)
    figure.legend(*axes.get_legend_handles_labels(), frameon=False, loc="outside upper center", ncols=2, markerscale=3)
    figure.savefig("gan_ring.png")


def main():
    """One seed, with both forms of the loss."""
    for name, value in measure(0).items():
        print(f"{name}: {value:.4g}")
    try:
        draw()
        print("picture: gan_ring.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
