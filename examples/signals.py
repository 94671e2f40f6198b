"""Signals through deep networks: 1.5^L explodes, 0.5^L vanishes, and the report names the layers.

Weights of c times the identity take an input through L layers to c^L of it, and its gradient likewise on the way back:
57.7 and 0.001 for ten layers, 6e26 and 2e-46 for 152, which float32 cannot hold. Random weights do the same by their
deviation; He's keeps activations and gradients of ReLU layers at one size.
"""

import functools

import numpy as np

import twingrad as tg
from twingrad import analysis, nn

DEPTH, WIDTH = 10, 64


def scaled_identity(shape, *, c, **key):
    """c times the identity."""
    return c * np.eye(*shape)


def linear(c, depth=DEPTH, dtype=np.float64):
    """As many linear layers of two units with weights c I and no biases."""
    init = functools.partial(scaled_identity, c=c)
    return nn.Sequential(*(nn.Linear(2, 2, bias=False, init=init, dtype=dtype) for _ in range(depth)))


def random(std, depth=6):
    """ReLU layers whose weights have this deviation; None takes He's."""
    init = nn.init.he_normal if std is None else nn.init.normal(std)
    layers = [layer for _ in range(depth) for layer in (nn.Linear(WIDTH, WIDTH, init=init), nn.ReLU())]
    return nn.Sequential(*layers, nn.Linear(WIDTH, 1, init=init), seed=0)


def draw(reports):
    """The size of activations and gradients by layer: signals.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), dpi=120, layout="constrained")
    for axes, what in zip(figure.subplots(1, 2), ("rms", "gradient_norm"), strict=True):
        for name, report in reports.items():
            values = [getattr(layer, what) for layer in report.layers if layer.hidden]
            axes.semilogy(range(1, len(values) + 1), values, ".-", label=name)
        title = {"rms": "root mean square of the activations", "gradient_norm": "norm of an example's gradient"}[what]
        axes.set(xlabel="hidden layer", title=title)
        axes.legend(frameon=False)
    figure.savefig("signals.png")


def main():
    """Outputs of the c^L networks, then reports."""
    one = np.ones((4, 2))
    for c in (1.5, 0.5):
        for depth, dtype in ((10, np.float64), (152, np.float64), (152, np.float32)):
            out = float(linear(c, depth, dtype)(one.astype(dtype)).data[0, 0])
            print(f"{c}^{depth} in {np.dtype(dtype).name}: {out:.6g}")
        report = analysis.signal_report(linear(c), one)
        for how in ("explode", "vanish"):
            named = (
                f"{what} {' '.join(report.named(f'{what} {how}')) or 'none'}" for what in ("activations", "gradients")
            )
            print(f"  layers of ten that {how}: {', '.join(named)}")
    x = tg.random.normal((256, WIDTH), seed=0, stream=1).astype(np.float32)
    reports = {}
    for name, std in {"deviation 0.05": 0.05, "He": None, "deviation 0.5": 0.5}.items():
        reports[name] = report = analysis.signal_report(random(std), x)
        told = f"activations times {report.activation_growth:.3g} from layer to layer"
        print(f"{name}: {told}; {len(report.vanishing)} layers vanish, {len(report.exploding)} explode")
    print(reports["deviation 0.05"])
    try:
        draw(reports)
        print("picture: signals.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
