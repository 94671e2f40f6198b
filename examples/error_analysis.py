"""Error analysis: count what the mistakes have in common before mending it; then see whether the ceiling was right.

A network knows clean digits. Of the dev set's, some are turned, some blurred, some noisy, and 2% are labelled wrongly.
A hundred mistakes are looked at and tagged. The table tells for each tag the error that would be left without its
mistakes, a ceiling of what can be won. The most promising one is then worked on, by training on digits changed that
way; what it wins stays below the ceiling.
"""

import numpy as np

import twingrad as tg
from twingrad import augment, optim
from twingrad.analysis import MISLABELLED, error_analysis
from twingrad.data import Dataset
from twingrad.train import dense, predict

CHANGES = {
    "turned": augment.Compose(augment.Rotate(35), shape=(8, 8)),
    "blurred": augment.Compose(augment.Blur(0.8, 1.2), shape=(8, 8)),
    "noisy": augment.Compose(augment.Noise(0.25, limits=(0.0, 1.0)), shape=(8, 8)),
}
SHARES = {"turned": 0.5, "blurred": 0.15, "noisy": 0.15}
LABELS = 0.02


def dev_set(data, seed=0):
    """The digits with changes and wrong labels, and who has which, as booleans by tag."""
    x, y, tags = data.x.copy(), data.y.copy(), {}
    for stream, (name, change) in enumerate(CHANGES.items()):
        tags[name] = tg.random.uniform((len(y),), seed=seed, stream=stream) < SHARES[name]
        x[tags[name]] = change(x[tags[name]], seed=seed)
    tags[MISLABELLED] = tg.random.uniform((len(y),), seed=seed, stream=9) < LABELS
    y[tags[MISLABELLED]] = (y[tags[MISLABELLED]] + 3) % 10
    return Dataset(x, y, data.classes), tags


def mistakes(train, dev, change=None):
    """The numbers of the dev examples that a network gets wrong."""
    model = dense(64, 10, hidden=[128], dropout=0.2, seed=0)
    options = {"epochs": 40, "batch_size": 64, "keep": "last", "train_loss": "steps", "device": "cpu"}
    tg.fit(model, train, optimizer=optim.Adam(lr=2e-3), augment=change, **options)
    return np.flatnonzero(predict(model, dev.x) != dev.y)


def analyse(wrong, tags, count):
    """The analysis of a hundred of the mistakes."""
    looked_at = wrong[tg.random.permutation(len(wrong), seed=1, stream=1)[:100]]
    by_tag = {name: [int(i) for i in looked_at if has[i]] for name, has in tags.items()}
    return error_analysis(
        looked_at.tolist(), {name: found for name, found in by_tag.items() if found}, error=len(wrong) / count
    )


def draw(found, dev, wrong, tags):
    """Shares of the mistakes by tag, and six mistakes of each: error_analysis.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), dpi=110, layout="constrained")
    rows = figure.subplots(len(found.tags), 7, width_ratios=[3, 1, 1, 1, 1, 1, 1])
    for axes, tag in zip(rows, found.tags, strict=True):
        axes[0].barh([0], [tag.share.rate], xerr=[[tag.share.rate - tag.share.low], [tag.share.high - tag.share.rate]])
        axes[0].set(xlim=(0, 1), xticks=[], yticks=[0], yticklabels=[tag.name])
        for panel, i in zip(axes[1:], [i for i in wrong if tags[tag.name][i]], strict=False):
            panel.imshow(dev.x[i].reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        for panel in axes[1:]:
            panel.set_axis_off()
    rows[-1][0].set(xticks=[0, 0.5, 1], xlabel="share of the mistakes")
    rows[0][1].set_title("mistakes with that tag", loc="left", fontsize=10)
    figure.savefig("error_analysis.png")


def main():
    """The table; then the error after its first remedy, beside the ceiling."""
    data = tg.data.load("digits").split(0.6, 0.4, 0.0, seed=0)
    dev, tags = dev_set(data.dev)
    wrong = mistakes(data.train, dev)
    found = analyse(wrong, tags, len(dev))
    print(found)
    first = found.tags[0]
    left = len(mistakes(data.train, dev, CHANGES[first.name])) / len(dev)
    print(f"trained on digits that are {first.name}: error {left:.1%}; the ceiling said {first.ceiling:.1%}")
    try:
        draw(found, dev, wrong, tags)
        print("picture: error_analysis.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
