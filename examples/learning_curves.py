"""Learning curves: would more data help, or a bigger network? Errors against the number of training examples.

Is a digit even? Logistic regression and a network of 128 hidden units learn it from growing parts of the training set.
Where the training error rises to meet the dev error, both above what is wanted, more data have little left to win: that
is bias, and asks for a bigger network. Where the network knows all it learned from, and the dev error stays above but
falls as examples are added, that is variance, and asks for more data or regularisation. Which of the two is larger
at the end, tells what to work on first.
"""

import twingrad as tg
from twingrad import optim
from twingrad.analysis import diagnose, learning_curve
from twingrad.data import Dataset
from twingrad.train import dense

SIZES, HUMAN = [25, 50, 100, 200, 400, 1.0], 0.0
"""Assumed: a person is right about every one of these digits."""
NETWORKS = {"logistic regression": [], "128 hidden units": [128]}


def curve(data, hidden, repeats):
    """Errors of networks trained on parts of the training set, so many for each size."""

    def make(seed):
        return dense(64, 1, hidden=hidden, seed=seed)

    options = {"epochs": 100, "batch_size": 32, "keep": "last", "train_loss": "steps", "device": "cpu"}
    options["evaluate_every"] = 10**6
    return learning_curve(make, data, sizes=SIZES, repeats=repeats, optimizer=optim.Adam(lr=5e-3), **options)


def draw(curves):
    """Both errors of both networks, the mean and the range over the repetitions: learning_curves.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), dpi=120, layout="constrained")
    for axes, (name, found) in zip(figure.subplots(1, 2, sharey=True), curves.items(), strict=True):
        for part, errors in (("train", found.train), ("dev", found.dev)):
            axes.fill_between(found.sizes, errors.min(axis=0), errors.max(axis=0), alpha=0.2)
            axes.plot(found.sizes, errors.mean(axis=0), "o-", label=part)
        axes.set(xlabel="training examples", title=name, ylim=(0, None))
        axes.legend(frameon=False)
    figure.axes[0].set_ylabel("error")
    figure.savefig("learning_curves.png")


def main(repeats=5):
    """The table of each network, and what its last row asks for."""
    digits = tg.data.load("digits")
    data = Dataset(digits.x, digits.y % 2, ("even", "odd")).split(seed=0)
    curves = {name: curve(data, hidden, repeats) for name, hidden in NETWORKS.items()}
    for name, found in curves.items():
        train, dev = found.train[:, -1].mean(), found.dev[:, -1].mean()
        last = diagnose(human=HUMAN, train=train, dev=dev, least=0.01)
        change = dev - found.dev[:, -2].mean()
        print(f"{name}\n{found}")
        print(f"  from {found.sizes[-2]} to {found.sizes[-1]} examples the dev error changed by {change:+.1%}")
        print(f"  bias {last.avoidable_bias:.1%}, variance {last.variance:.1%}; first to work on: {last.focus}")
    try:
        draw(curves)
        print("picture: learning_curves.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
