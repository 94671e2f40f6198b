"""Zero initialisation never breaks symmetry: all hidden units of a layer stay the same, however long they are trained.

Three networks of 64-32-10 with tanh see the digits: one begins with zeros, one with 0.1 everywhere, one at random. With
zeros no gradient reaches the weights at all, since each layer's passes through the other's zeros: only the last biases
learn how frequent the classes are. With a constant all units have the same gradient, and would stay alike in exact
arithmetic; but sums of float32 are rounded in an order that depends on the unit's place, and training makes the
difference grow until there are several. What breaks that symmetry is chance, at the scale of rounding.
"""

import numpy as np

import twingrad as tg
from twingrad import nn, optim
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
    try:
        draw({name: trained(0, init)[0] for name, init in STARTS.items()})
        print("picture: symmetry.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


def draw(models):
    """The incoming weights of the hidden units as pictures: symmetry.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), dpi=120, layout="constrained")
    for axes, (name, model) in zip(figure.subplots(3, 10), models.items(), strict=True):
        for panel, weight in zip(axes, model.state_dict()["0.weight"], strict=False):
            panel.imshow(weight.reshape(8, 8), cmap="RdBu", vmin=-0.6, vmax=0.6)
            panel.set(xticks=[], yticks=[])
        axes[0].set_ylabel(name)
    figure.suptitle("what the first ten hidden units see")
    figure.savefig("symmetry.png")


if __name__ == "__main__":
    main()
