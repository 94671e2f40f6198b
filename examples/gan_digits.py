"""Generated digits, and arithmetic with the noise behind them: strong 3 - faint 3 + faint 7 should be a strong 7.

A generator learns 8 x 8 digits of every strength of ink. A classifier, which was shown real digits only, reads each
generated one as one of twenty kinds, ten digits, faint or strong. The mean noise of a kind stands for it: the sum
above, for all ninety pairs of digits, is generated and read, and so is a random step of that length from the faint 7.
"""

import functools
from pathlib import Path

import numpy as np

import twingrad as tg
from twingrad import nn, optim
from twingrad.data import Dataset, batches, sheet_png
from twingrad.gan import Game
from twingrad.optim.schedules import Cosine
from twingrad.random import normal
from twingrad.train import dense, predict

FAINT, BETWEEN, STRONG = (0.4, 0.5), (0.6, 0.7, 0.8), (0.9, 1.0)
NOISE, WIDTH, BATCH, STEPS, SAMPLES = 8, 128, 64, 4000, 20_000


def noise(n, seed, step=0):
    return normal((n, NOISE), seed=seed, stream=3, step=step).astype(np.float32)


def inked(digits, strengths):
    """Every digit with every strength of ink, one strength after another."""
    return np.concatenate([digits.x * np.float32(strength) for strength in strengths])


def reader(digits, seed):
    """A classifier of kinds: 0 to 9 faint, 10 to 19 strong."""
    kinds = np.concatenate([np.tile(digits.y, 2), np.tile(digits.y + 10, 2)])
    model = dense(64, 20, hidden=[128], seed=seed)
    options = {"optimizer": optim.Adam(lr=2e-3), "epochs": 10, "keep": "last", "seed": seed, "device": "cpu"}
    tg.fit(model, Dataset(inked(digits, FAINT + STRONG), kinds), evaluate_every=10**6, **options)
    return model


def train(digits, seed, steps=STEPS):
    """The generator, in evaluation mode."""
    layers = [nn.Linear(NOISE, WIDTH), nn.BatchNorm(WIDTH), nn.ReLU()]
    layers += [nn.Linear(WIDTH, WIDTH), nn.BatchNorm(WIDTH), nn.ReLU(), nn.Linear(WIDTH, 64), nn.Sigmoid()]
    generator = nn.Sequential(*layers, seed=seed)
    layers = [nn.Linear(64, WIDTH), nn.LeakyReLU(0.2), nn.Linear(WIDTH, WIDTH), nn.LeakyReLU(0.2), nn.Linear(WIDTH, 1)]
    discriminator = nn.Sequential(*layers, seed=seed + 1)
    optimizers = (
        optim.Adam(generator, lr=Cosine(1e-3, length=steps), beta1=0.5),
        optim.Adam(discriminator, lr=Cosine(1e-3, length=steps), beta1=0.5),
    )
    game = Game(generator, discriminator, *optimizers)
    x, z = inked(digits, FAINT + BETWEEN + STRONG), noise(512 * BATCH, seed).reshape(512, BATCH, NOISE)
    done = epoch = 0
    while done < steps:
        for index in batches(len(x), BATCH, seed=seed, epoch=epoch):
            if done < steps and len(index) == BATCH:
                game.play([(x[index], z[2 * done % 512])], z[(2 * done + 1) % 512])
                done += 1
        epoch += 1
    return generator.eval()


def generated(generator, z):
    with tg.no_grad():
        return generator(np.asarray(z, np.float32)).numpy()


def arithmetic(means, seed):
    """The sums, random steps as long, and the kinds wished for, of all pairs of digits whose kinds there are."""
    sums, steps, wanted = [], [], []
    for a in range(10):
        for b in range(10):
            step = means[a + 10] - means[a]
            chance = normal((NOISE,), seed=seed, stream=4, step=10 * a + b)
            if a != b and np.isfinite(step).all() and np.isfinite(means[b]).all():
                sums.append(means[b] + step)
                steps.append(means[b] + chance * np.linalg.norm(step) / np.linalg.norm(chance))
                wanted.append(b + 10)
    return np.asarray(sums), np.asarray(steps), np.asarray(wanted)


@functools.lru_cache(1)
def learned(seed, steps=STEPS):
    """The classifier and the generator, the mean noise of each kind (20, NOISE), and each kind's share of samples.

    The mean is NaN where fewer than ten samples are read as of that kind.
    """
    digits = tg.data.load("digits")
    model, generator, z = reader(digits, seed), train(digits, seed, steps), noise(SAMPLES, seed, step=1)
    kinds = predict(model, generated(generator, z))
    means = [z[kinds == k].mean(axis=0) if (kinds == k).sum() >= 10 else np.full(NOISE, np.nan) for k in range(20)]
    return model, generator, np.asarray(means), np.bincount(kinds, minlength=20) / SAMPLES


def measure(seed, steps=STEPS):
    """What one seed shows, as the claim `gan_digits` states it."""
    model, generator, means, shares = learned(seed, steps)
    sums, chance, wanted = arithmetic(means, seed)
    return {
        "kinds above 0.5%": int((shares > 0.005).sum()),
        "pairs": len(wanted),
        "sums read as wished": float((predict(model, generated(generator, sums)) == wanted).mean()),
        "random steps read so": float((predict(model, generated(generator, chance)) == wanted).mean()),
    }


def sheet(seed=0):
    """Samples; the mean of each faint digit, and of each strong one; and faint b + strong 3 - faint 3; or None."""
    _, generator, means, _ = learned(seed)
    faint, strong = np.nan_to_num(means[:10]), np.nan_to_num(means[10:])
    rows = {"samples": noise(10, seed, step=2), "faint b": faint, "strong b": strong}
    rows["faint b + strong 3 - faint 3"] = faint + strong[3] - faint[3]
    images = {name: generated(generator, z).reshape(-1, 8, 8) for name, z in rows.items()}
    return sheet_png(images, titles={"faint b": range(10)})


def main():
    """One seed of the claim `gan_digits`."""
    for name, value in measure(0).items():
        print(f"{name}: {value:.4g}")
    picture = sheet()
    if picture:
        Path("gan_digits.png").write_bytes(picture)
        print("picture: gan_digits.png")
    else:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
