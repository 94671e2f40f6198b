"""Initialisation: which weights suit which activation, from what comes out of twenty layers before any training.

A layer multiplies the variance of what passes through it by n_in times the variance of its weights, and by what its
activation leaves of it: half with ReLU, nearly all with tanh while it is small. So He's 2/n_in suits ReLU, and 1/n_in,
which the course calls Xavier (`lecun` here), tanh; Glorot's 2/(n_in + n_out) is the same where layers are equally wide,
and a compromise with the way back where they are not. Larger weights saturate tanh, smaller ones lose the signal.
"""

import numpy as np

import twingrad as tg
from twingrad import nn
from twingrad.analysis import signal_report

DEPTH, WIDTH = 20, 100
INITS = {
    "N(0, 0.01^2)": nn.init.normal(0.01),
    "1/n_in": nn.init.lecun_normal,
    "2/(n_in + n_out)": nn.init.glorot_normal,
    "He, 2/n_in": nn.init.he_normal,
    "N(0, 2^2)": nn.init.normal(2.0),
}
ACTIVATIONS = {"tanh": nn.Tanh, "ReLU": nn.ReLU}


def report(init, activation, seed=0):
    """The signals of 200 normal examples through such layers."""
    layers = [layer for _ in range(DEPTH) for layer in (nn.Linear(WIDTH, WIDTH, init=init), activation())]
    model = nn.Sequential(*layers, nn.Linear(WIDTH, 1, init=init), seed=seed)
    return signal_report(model, tg.random.normal((200, WIDTH), seed=seed, stream=1).astype(np.float32))


def saturated(found):
    """The share of units that hardly learn: less than a twentieth of the largest slope on average."""
    return sum(map(len, found.saturated.values())) / (DEPTH * WIDTH)


def draw(reports):
    """The root mean square of what comes out of each hidden layer: initialisation.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), dpi=120, layout="constrained")
    for axes, (name, by_init) in zip(figure.subplots(1, 2, sharey=True), reports.items(), strict=True):
        for label, found in by_init.items():
            sizes = [layer.rms for layer in found.layers if layer.hidden]
            axes.semilogy(range(1, DEPTH + 1), sizes, ".--" if "out" in label else ".-", label=label)
        axes.set(xlabel="hidden layer", title=name, ylim=(1e-12, 1e26), xticks=range(0, DEPTH + 1, 5))
    figure.axes[0].set_ylabel("root mean square")
    figure.legend(*axes.get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=5)
    figure.savefig("initialisation.png")


def main():
    """From layer to layer: times how much activations and gradients; and the units that are saturated."""
    reports = {
        name: {label: report(init, activation) for label, init in INITS.items()}
        for name, activation in ACTIVATIONS.items()
    }
    for name, by_init in reports.items():
        print(f"{name}, {DEPTH} layers of {WIDTH}")
        for label, found in by_init.items():
            told = f"activations times {found.activation_growth:.3g}, gradients times {found.gradient_growth:.3g}"
            named = f"{len(found.vanishing)} layers vanish, {len(found.exploding)} explode"
            print(f"  {label}: {told} from layer to layer; {named}; {saturated(found):.0%} of the units saturated")
    try:
        draw(reports)
        print("picture: initialisation.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
