"""Zero initialisation never breaks symmetry: all hidden units of a layer stay the same, however long they are trained.

Three networks of 64-32-10 with tanh see the digits: one begins with zeros, one with 0.1 everywhere, one at random. With
zeros no gradient reaches the weights at all, since each layer's passes through the other's zeros: only the last biases
learn how frequent the classes are. With a constant all units have the same gradient, and would stay alike in exact
arithmetic. In float32 it depends on the BLAS: where it adds the products of one unit in another order than those of the
next, roundings differ, and training makes the difference grow until there are a few kinds of units. What breaks that
symmetry is chance, at the scale of rounding.
"""

import functools
from pathlib import Path

import numpy as np

import twingrad as tg
from twingrad import nn, optim
from twingrad.data import sheet_png
from twingrad.train import evaluate

UNITS, EPOCHS = 32, 20
STARTS = {
    "zeros": nn.init.zeros,
    "constant": nn.init.constant(0.1),
    "random": nn.init.glorot_normal,
}


def distinct(model):
    """How many hidden units differ from all others, by the weights that lead to each and from it."""
    state = model.state_dict()
    units = np.concatenate([state["0.weight"], state["0.bias"][:, None], state["2.weight"].T], axis=1)
    return len(np.unique(units, axis=0))


@functools.lru_cache(3)
def trained(seed, init):
    """The network, its digits and its accuracy after training."""
    data = tg.data.load("digits").split(seed=seed)
    model = nn.Sequential(nn.Linear(64, UNITS, init=init), nn.Tanh(), nn.Linear(UNITS, 10, init=init), seed=seed)
    options = {"epochs": EPOCHS, "keep": "last", "evaluate_every": 10**6, "device": "cpu", "seed": seed}
    tg.fit(model, data.train, optimizer=optim.Adam(lr=0.01), **options)
    return model, evaluate(model, data.test).accuracy


def measure(seed):
    """What one seed shows, as the claim `symmetry` states it."""
    found = {}
    for name, init in STARTS.items():
        model, accuracy = trained(seed, init)
        found |= {f"distinct units, {name}": distinct(model), f"accuracy, {name}": accuracy}
    return found


def main():
    """The loss and the gradients at zeros, then what training comes to; the claim is measured with twenty seeds."""
    data = tg.data.load("digits")
    zeros = nn.init.zeros
    model = nn.Sequential(nn.Linear(64, UNITS, init=zeros), nn.Tanh(), nn.Linear(UNITS, 10, init=zeros), seed=0)
    loss = tg.functional.softmax_cross_entropy(model(data.x), data.y)
    loss.backward()
    norms = {name: float(np.abs(p.grad).max()) for name, p in model.named_parameters().items()}
    print(f"at zeros: loss {float(loss):.5f}, ln 10 is {np.log(10):.5f}; largest gradients {norms}")
    for name, value in measure(0).items():
        print(f"{name}: {value:.4g}")
    seen = {name: trained(0, init)[0].state_dict()["0.weight"][:10].reshape(-1, 8, 8) for name, init in STARTS.items()}
    picture = sheet_png(seen, limits=(-0.6, 0.6), colours="RdBu", title="what the first ten hidden units see")
    if picture:
        Path("symmetry.png").write_bytes(picture)
        print("picture: symmetry.png")
    else:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
