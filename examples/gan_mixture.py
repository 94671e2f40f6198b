"""A game of two networks in one dimension, where the best answers are known.

The data are a mixture p of two normal distributions; the generator begins as one normal distribution q. Against a fixed
generator the best discriminator is D* = p / (p + q), and the value of the game is 2 JSD(p, q) - log 4. First the
discriminator learns alone, and is compared with D*; then both play, and the divergence falls.
"""

import functools

import numpy as np

import twingrad as tg
from twingrad import nn, optim
from twingrad.functional import sigmoid
from twingrad.gan import Game, discriminator_loss, jsd
from twingrad.optim.schedules import Cosine
from twingrad.random import normal, uniform

PLACES, DEVIATIONS, SHARES = (-1.5, 2.0), (0.5, 0.7), (0.4, 0.6)
GRID = np.linspace(-6, 6, 601)
BINS = np.linspace(-6, 6, 49)
BATCH = 256


def density(x):
    """p."""
    return sum(
        share / (deviation * np.sqrt(2 * np.pi)) * np.exp(-0.5 * ((x - place) / deviation) ** 2)
        for place, deviation, share in zip(PLACES, DEVIATIONS, SHARES, strict=True)
    )


def data(n, seed):
    """n samples of p: (n, 1) float32."""
    second = (uniform((n,), seed=seed, stream=1) >= SHARES[0]).astype(int)
    x = np.take(PLACES, second) + np.take(DEVIATIONS, second) * normal((n,), seed=seed, stream=2)
    return x[:, None].astype(np.float32)


def noise(n, seed):
    return normal((n, 1), seed=seed, stream=3).astype(np.float32)


def network(seed):
    return nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1), seed=seed)


def distribution(x):
    """Shares of samples in bins of 0.25 from -6 to 6, those outside in the bins at the ends."""
    return np.bincount(np.clip((x.ravel() + 6) // 0.25, 0, 47).astype(int), minlength=48) / len(x)


@functools.lru_cache(1)
def best_discriminator(seed, steps=3000):
    """(D, D*) on the grid, weighted by p + q, and the game's value beside the known one; q is N(0, 1)."""
    model = network(seed)
    optimizer = optim.Adam(model, lr=Cosine(1e-2, length=steps))

    def step(x, fake):
        optimizer.zero_grad()
        loss = discriminator_loss(model(x), model(fake))
        loss.backward()
        optimizer.step()
        return loss

    step = tg.capture(step, fallback=True)
    x, fake = data(256 * BATCH, seed).reshape(256, BATCH, 1), noise(256 * BATCH, seed).reshape(256, BATCH, 1)
    for i in range(steps):
        step(x[i % 256], fake[i % 256])
    p, q = density(GRID), np.exp(-(GRID**2) / 2) / np.sqrt(2 * np.pi)
    known = p / (p + q)
    with tg.no_grad():
        learned = sigmoid(model(GRID[:, None].astype(np.float32))).numpy()[:, 0]
        value = -float(discriminator_loss(model(data(50_000, seed + 500)), model(noise(50_000, seed + 500))))
    p, q = p / p.sum(), q / q.sum()
    return learned, known, (p + q) / 2, value, 2 * float(jsd(p, q)) - np.log(4)


@functools.lru_cache(4)
def play(seed, k, rounds=4000):
    """Shares in bins of what is generated before and after a game with k discriminator updates a round, and of data."""
    generator, discriminator = network(seed), network(seed + 1)
    optimizers = (
        optim.Adam(generator, lr=Cosine(2e-3, length=rounds), beta1=0.5),
        optim.Adam(discriminator, lr=Cosine(2e-3, length=rounds * k), beta1=0.5),
    )
    game = Game(generator, discriminator, *optimizers, k=k)
    x, z = data(256 * BATCH, seed).reshape(256, BATCH, 1), noise(256 * BATCH, seed).reshape(256, BATCH, 1)
    probe, found = noise(50_000, seed + 500), []
    for stage in (0, rounds):
        for i in range(stage):
            game.play([(x[(i * k + j) % 256], z[(i * k + j) % 256]) for j in range(k)], z[(7 * i) % 256])
        with tg.no_grad():
            found.append(distribution(generator(probe).numpy()))
    return *found, distribution(data(50_000, seed + 500))


def measure(seed, steps=3000):
    """What one seed shows, as the claim `gan_mixture` states it."""
    learned, known, weight, value, known_value = best_discriminator(seed, steps)
    (before, after, real), (_, after_three, _) = (play(seed, k, steps) for k in (1, 3))
    return {
        "mean distance of D and D*": float(np.sum(weight * np.abs(learned - known))),
        "distance of the value and 2 JSD - log 4": abs(value - known_value),
        "JSD before": float(jsd(real, before)),
        "JSD after, k = 1": float(jsd(real, after)),
        "JSD after, k = 3": float(jsd(real, after_three)),
    }


def draw(seed=0, steps=3000):
    """The discriminator beside the best one, and what the games generate beside the data: gan_mixture.png."""
    from matplotlib.figure import Figure

    learned, known, weight, *_ = best_discriminator(seed, steps)
    figure = Figure(figsize=(11, 4), dpi=120, layout="constrained")
    judged, made = figure.subplots(1, 2)
    judged.fill_between(GRID, weight / weight.max(), color="#eeeeee", label="(p + q) / 2, scaled")
    judged.plot(GRID, known, color="#8c8c8c", label="best: p / (p + q)")
    judged.plot(GRID, learned, color="#1f6fb4", label="learned")
    judged.set(xlabel="x", ylabel="D(x)", title="the discriminator, with a fixed generator", ylim=(-0.02, 1.3))
    (before, one, real), (_, three, _) = (play(seed, k, steps) for k in (1, 3))
    made.stairs(real, BINS, fill=True, color="#dddddd", label="data")
    for shares, name in ((before, "generated before"), (one, "after, k = 1"), (three, "after, k = 3")):
        made.stairs(shares, BINS, label=name, linewidth=1.3)
    made.set(xlabel="x", ylabel="share of samples", title="the game", ylim=(0, 2.6 * max(real)), xlim=(-4, 4))
    for axes in (judged, made):
        axes.legend(loc="upper left", ncols=2, framealpha=1, edgecolor="white")
    figure.savefig("gan_mixture.png")


def main():
    """One seed of the claim `gan_mixture`."""
    for name, value in measure(0).items():
        print(f"{name}: {value:.4f}")
    try:
        draw()
        print("picture: gan_mixture.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
