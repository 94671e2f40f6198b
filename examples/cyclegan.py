"""CycleGAN's whole objective on digits: learn a transformation from unpaired pictures, whose right answer is known.

One half of the training digits stays as it is; the other half is mirrored and turned to its negative. No digit is in
both. Two generators learn to go there and back from what the pictures look like alone: two discriminators judge them,
and what goes there and back must come back as it was. The answer of a held-out digit is right if its own transform is
the nearest of all held-out transforms.

A generator here has, for each row of a picture, a matrix of 8 x 8 of its own: it may mirror, or do anything else to a
row. Games that end in a wrong answer are common; their objective tells them, so three games are played and the one with
the least objective is kept, which asks for no pair.
"""

import functools
from pathlib import Path

import numpy as np

import twingrad as tg
from twingrad import functional as F
from twingrad import nn, optim
from twingrad.data import batches, sheet_png
from twingrad.gan import cycle_loss, discriminator_loss, generator_loss
from twingrad.optim.schedules import Cosine
from twingrad.random import normal

STEPS, BATCH, CYCLE, GAMES, LAST = 3000, 64, 3.0, 3, 200
ROWS = np.kron(np.eye(8), np.ones((8, 8))).astype(np.float32)


def transform(x):
    """Mirrored and negative: (N, 64) in [0, 1]."""
    return np.ascontiguousarray(1 - x.reshape(-1, 8, 8)[:, :, ::-1]).reshape(-1, 64)


class ByRows(nn.Module):
    """x (N, 64) -> (N, 64): each row of eight pixels through its own matrix and bias, from random ones."""

    def __init__(self, seed):
        self.weight = nn.Parameter((normal((64, 64), seed=seed, stream=9) / np.sqrt(8)).astype(np.float32) * ROWS)
        self.bias = nn.Parameter(np.zeros(64, np.float32))

    def forward(self, x):
        return F.linear(x, self.weight * ROWS, self.bias)


class Pair(nn.Module):
    """Two networks that one optimizer trains."""

    def __init__(self, first, second):
        self.first, self.second = first, second


def judge(seed):
    return nn.Sequential(nn.Linear(64, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1), seed=seed)


def halves(seed):
    """Unpaired digits x and transforms y, and held-out digits, all moved to [-1/2, 1/2]."""
    data = tg.data.load("digits").split(0.8, 0.0, 0.2, seed=seed)
    order = tg.random.permutation(len(data.train), seed=seed, stream=8)
    n = len(order) // 2
    return data.train.x[order[:n]] - 0.5, transform(data.train.x[order[n : 2 * n]]) - 0.5, data.test.x - 0.5


def game(x, y, seed, cycle, steps):
    """The generators after one game, and the mean of their objective over its last steps."""
    makers, judges = Pair(ByRows(seed), ByRows(seed + 1)), Pair(judge(seed + 2), judge(seed + 3))
    of_makers = optim.Adam(makers, lr=Cosine(5e-3, length=steps), beta1=0.5)
    of_judges = optim.Adam(judges, lr=Cosine(1e-3, length=steps), beta1=0.5)

    def judged(x, y):
        with tg.no_grad():
            to_y, to_x = makers.first(x), makers.second(y)
        of_judges.zero_grad()
        loss = discriminator_loss(judges.second(y), judges.second(to_y))
        loss = loss + discriminator_loss(judges.first(x), judges.first(to_x))
        loss.backward()
        of_judges.step()
        return loss

    def made(x, y):
        of_makers.zero_grad()
        of_judges.zero_grad()
        to_y, to_x = makers.first(x), makers.second(y)
        loss = generator_loss(judges.second(to_y)) + generator_loss(judges.first(to_x))
        if cycle:
            loss = loss + cycle * cycle_loss(x, makers.second(to_y), y, makers.first(to_x))
        loss.backward()
        of_makers.step()
        return loss

    judged, made = tg.capture(judged, fallback=True), tg.capture(made, fallback=True)
    found = []
    for index, other in pairs_of_batches(len(x), seed, steps):
        judged(x[index], y[other])
        found.append(float(made(x[index], y[other])))
    return makers, float(np.mean(found[-LAST:]))


def pairs_of_batches(n, seed, steps):
    """Independent batches of both halves."""
    done, epoch = 0, 0
    while done < steps:
        both = (batches(n, BATCH, seed=seed + i, epoch=epoch) for i in (0, 1))
        for index, other in zip(*both, strict=True):
            if done < steps and len(index) == BATCH:
                yield index, other
                done += 1
        epoch += 1


def right(makers, held_out):
    """The share of held-out digits whose answer is nearest to their own transform."""
    with tg.no_grad():
        answers = makers.first(held_out).numpy()
    wanted = transform(held_out + 0.5) - 0.5
    distance = ((answers[:, None] - wanted) ** 2).sum(axis=2)
    return float((distance.argmin(axis=1) == np.arange(len(wanted))).mean())


@functools.lru_cache(2)
def games(seed, cycle, steps=STEPS, count=GAMES):
    """The generators of so many games, with their objectives."""
    x, y, _ = halves(seed)
    return [game(x, y, 100 * seed + 10 * i, cycle, steps) for i in range(count)]


def measure(seed, steps=STEPS, games_each=GAMES):
    """What one seed shows, as the claim `cyclegan` states it."""
    *_, held_out = halves(seed)
    found = {}
    for name, cycle in (("", CYCLE), (", without the cycle", 0.0)):
        played = games(seed, cycle, steps, games_each)
        shares = [right(makers, held_out) for makers, _ in played]
        best = int(np.argmin([objective for _, objective in played]))
        found |= {f"right{name}": shares[best], f"right in one game{name}": float(np.mean(shares))}
    return found


def sheet(seed=0, count=10):
    """Held-out digits, what the kept generators make of them, there and back, and the right answers; or None."""
    x = halves(seed)[2][:count]
    makers = min(games(seed, CYCLE), key=lambda one: one[1])[0]
    with tg.no_grad():
        there = makers.first(x)
        rows = {
            "x": x,
            "G(x)": there.numpy(),
            "F(G(x))": makers.second(there).numpy(),
            "right": transform(x + 0.5) - 0.5,
        }
    return sheet_png({name: images.reshape(-1, 8, 8) for name, images in rows.items()}, limits=(-0.5, 0.5))


def main():
    """One seed of the claim `cyclegan`."""
    for name, value in measure(0).items():
        print(f"{name}: {value:.1%}")
    picture = sheet()
    if picture:
        Path("cyclegan.png").write_bytes(picture)
        print("picture: cyclegan.png")
    else:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
