"""Adversarial examples: how little changes a network's mind, why, and what training on them gives back.

A linear score first, where the reason is plain: a step of eps in every input against the weights' signs changes it by
eps times the sum of their sizes, which grows with the number of inputs, while random signs cancel. Then digits,
enlarged to 32 x 32 pixels: at eps = 0.12 of the way from white to black a person reads them as before.
"""

from pathlib import Path

import numpy as np

import twingrad as tg
from twingrad import functional as F
from twingrad import optim
from twingrad.adversarial import fast_gradient_sign, numerical_gradient, targeted
from twingrad.data import Dataset, batches, sheet_png
from twingrad.random import uniform
from twingrad.train import dense, predict

EPS, EPOCHS, LIMITS = 0.12, 20, (0.0, 1.0)


def enlarged():
    """The digits with every pixel four times as high and wide: x (1797, 1024)."""
    digits = tg.data.load("digits")
    x = np.kron(digits.x.reshape(-1, 8, 8), np.ones((1, 4, 4), np.float32))
    return Dataset(x.reshape(len(x), -1), digits.y, digits.classes, "digits, 32 x 32")


def train(data, seed, *, hidden=128, added=0.0, pairing=0.0, epochs=EPOCHS):
    """J(x) + added J(x*) + pairing |z(x) - z(x*)|^2 / (2 C): z logits, x* moved by the sign method at every step."""
    model = dense(data.features, 10, hidden=[hidden], seed=seed)
    optimizer = optim.Adam(model, lr=1e-3)
    for epoch in range(epochs):
        for index in batches(len(data), 64, seed=seed, epoch=epoch):
            x, y = data.x[index], data.y[index]
            z = model(x)
            cost = F.softmax_cross_entropy(z, y)
            if added or pairing:
                moved = model(fast_gradient_sign(model, x, y, eps=EPS, limits=LIMITS))
                apart = z - moved
                cost = cost + added * F.softmax_cross_entropy(moved, y) + pairing * tg.xp.mean(apart * apart) / 2
            optimizer.zero_grad()
            cost.backward()
            optimizer.step()
    return model


def accuracy(model, x, y):
    return float((predict(model, x) == y).mean())


def noisy(x, seed):
    """x with eps added or taken away at random: as large a change as the attack's."""
    signs = np.where(uniform(x.shape, seed=seed, stream=1) < 0.5, -1, 1).astype(x.dtype)
    return np.clip(x + EPS * signs, *LIMITS)


def measure(seed):
    """What one seed shows, as the claim `adversarial` states it."""
    data = enlarged().split(0.7, 0.0, 0.3, seed=seed)
    x, y = data.test.x, data.test.y
    plain, other = train(data.train, seed), train(data.train, seed + 1000, hidden=96)
    moved, foreign = (fast_gradient_sign(model, x, y, eps=EPS, limits=LIMITS) for model in (plain, other))
    found = {
        "accuracy": accuracy(plain, x, y),
        "accuracy, attacked": accuracy(plain, moved, y),
        "accuracy, random signs": accuracy(plain, noisy(x, seed), y),
        "accuracy, attack made for another network": accuracy(plain, foreign, y),
    }
    for name, options in (("trained on attacks", {"added": 1.0}), ("logit pairing", {"pairing": 1.0})):
        model = train(data.train, seed, **options)
        attacked = fast_gradient_sign(model, x, y, eps=EPS, limits=LIMITS)
        found |= {
            f"accuracy, {name}": accuracy(model, x, y),
            f"accuracy, attacked, {name}": accuracy(model, attacked, y),
        }
        lost = found["accuracy"] - found["accuracy, attacked"]
        found[f"share restored, {name}"] = (found[f"accuracy, attacked, {name}"] - found["accuracy, attacked"]) / lost
    return found


def linear_score():
    """The course's example, and how the shift grows with the number of inputs."""
    w, x = np.asarray([1.0, 3, -1, 2, 2, 3]), np.asarray([[1.0, -1, 2, 0, 3, -2]])
    gradients = tg.grad(lambda x: tg.xp.sum(x @ w))(x)
    sign = fast_gradient_sign(lambda x: x @ w, x, None, eps=0.2, loss=lambda score, y, reduction: score)
    print(
        f"score {(x @ w)[0]:.1f}; x + 0.2 w: {((x + 0.2 * gradients) @ w)[0]:.1f}; x + 0.2 sign(w): {(sign @ w)[0]:.1f}"
    )
    print(f"it crosses 0 at eps = {4 / np.sum(w * w):.4f} along w, and at {4 / np.sum(np.abs(w)):.4f} along its signs")
    near = targeted(lambda x: x @ w, x, np.asarray([4.0]), lr=0.03, steps=200)
    print(f"towards 4, staying near: score {(near @ w)[0]:.4f}")
    for n in (10, 100, 1000, 10000):
        v = 2 * uniform((n,), seed=0, stream=2) - 1
        attack, chance = 0.1 * np.abs(v).sum(), 0.1 * np.sqrt(np.sum(v * v))
        print(f"{n} inputs: the attack shifts the score by {attack:.1f}, random signs by {chance:.1f}")


def sheet(model, x, y):
    """Digits, and what the network reads, before and after a step against it; or None."""
    rows = {"as they are": x, "attacked": fast_gradient_sign(model, x, y, eps=EPS, limits=LIMITS)}
    read = {name: [f"read {digit}" for digit in predict(model, images)] for name, images in rows.items()}
    return sheet_png({name: images.reshape(-1, 32, 32) for name, images in rows.items()}, titles=read)


def main():
    """The linear score, then one seed of the claim `adversarial`, and an attack that only asks."""
    linear_score()
    for name, value in measure(0).items():
        print(f"{name}: {value:.1%}")
    data = enlarged().split(0.7, 0.0, 0.3, seed=0)
    model, x, y = train(data.train, 0), data.test.x[:30], data.test.y[:30]
    moved = fast_gradient_sign(model, x, y, eps=EPS, limits=LIMITS)
    asked = fast_gradient_sign(model, x, y, eps=EPS, limits=LIMITS, gradient=black_box)
    print(f"accuracy on 30: {accuracy(model, x, y):.1%}, attacked {accuracy(model, moved, y):.1%}, ", end="")
    print(f"as a black box {accuracy(model, asked, y):.1%}")
    picture = sheet(model, x[:10], y[:10])
    if picture:
        Path("adversarial.png").write_bytes(picture)
        print("picture: adversarial.png")
    else:
        print("no picture: pip install 'twingrad[plot]'")


def black_box(model, x, y, loss):
    """Differences wide enough for float32."""
    return numerical_gradient(model, x, y, loss, step=0.02)


if __name__ == "__main__":
    main()
