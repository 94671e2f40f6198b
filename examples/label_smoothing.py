"""Label smoothing: a target of 91% instead of 100% keeps a network from growing ever more certain.

With targets of 0 and 1 the cost of a digit that is read rightly falls as long as the logits grow, without an end. With
s = 0.1 the target of its class is 1 - s + s/10 = 0.91 and of each other one 0.01: the cost is least where the network
says just that, and rises again beyond. Networks that begin alike learn 500 digits with several amounts of it. Whether
they read more of the other digits, and whether they are as sure of each as they are right, are two questions.
"""

import numpy as np

import twingrad as tg
from twingrad import functional as F
from twingrad import optim
from twingrad.benchmarks.claims import paired
from twingrad.train import dense, predict_probabilities

TRAIN, EPOCHS, AMOUNTS = 500, 150, (0.0, 0.05, 0.1, 0.2)
BINS = np.linspace(0, 1, 11)


def answers(seed, smoothing):
    """Probabilities on the 1297 test digits after training, and their labels."""
    digits = tg.data.load("digits")
    share = TRAIN / len(digits)
    data = digits.split(share, 0.0, 1 - share, seed=seed)
    model = dense(64, 10, hidden=[128], seed=seed)
    options = {"epochs": EPOCHS, "batch_size": 50, "keep": "last", "train_loss": "steps", "seed": seed, "device": "cpu"}
    tg.fit(model, data.train, optimizer=optim.Adam(lr=2e-3), label_smoothing=smoothing, **options)
    return predict_probabilities(model, data.test.x), data.test.y


def measures(p, y):
    """Test error, test cost, how sure it is on average, and by how much less that is than it is right."""
    right, sure = p.argmax(axis=1) == y, p.max(axis=1)
    cost = -np.mean(np.log(np.maximum(p[np.arange(len(y)), y], 1e-12)))
    return {"error": 1 - right.mean(), "cost": cost, "sure": sure.mean(), "too modest": right.mean() - sure.mean()}


def believed(p, y, least=30):
    """In each tenth of certainty with enough digits: the mean certainty and the share of right answers."""
    right, sure = p.argmax(axis=1) == y, p.max(axis=1)
    place = np.digitize(sure, BINS[1:-1])
    filled = [place == i for i in range(10) if (place == i).sum() >= least]
    return np.transpose([(sure[some].mean(), right[some].mean()) for some in filled])


def draw(found):
    """How often they are right over how sure they are, and how sure they are: label_smoothing.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), dpi=120, layout="constrained")
    belief, spread = figure.subplots(1, 2)
    belief.plot([0, 1], [0, 1], "--", color="#999999", linewidth=0.8, label="as sure as right")
    for smoothing, (p, y) in found.items():
        belief.plot(*believed(p, y), "o-", label=f"s = {smoothing:g}")
        spread.hist(p.max(axis=1), BINS, histtype="step", linewidth=1.5, label=f"s = {smoothing:g}")
    belief.set(xlabel="how sure it is", ylabel="share of right answers", title="can its certainty be believed?")
    spread.set(xlabel="how sure it is", ylabel="test digits, all seeds", title="how certain it is")
    belief.legend(frameon=False, loc="lower right")
    spread.legend(frameon=False, loc="upper left")
    figure.savefig("label_smoothing.png")


def costs(smoothing=0.1):
    """The cost of one digit by the logit of its class: it has a least one only with smoothed targets."""
    hard = np.asarray([0])
    soft = F.smooth_labels(hard, smoothing, 10)
    best = float(np.log(soft[0, 0] / soft[0, 1]))
    print(f"s = {smoothing:g}: targets {soft[0, 0]:.2f} and {soft[0, 1]:.2f}, met by a logit of {best:.2f}")
    for logit in (2, 4, best, 6, 8):
        told = (float(F.softmax_cross_entropy(logit * np.eye(10)[:1], target)) for target in (hard, soft))
        print("  logit {:.2f} above the others: cost {:.4f} with targets 0 and 1, {:.4f} smoothed".format(logit, *told))


def main(seeds=range(5)):
    """The cost of one digit; then the networks, the mean of five seeds, beside those without smoothing."""
    costs()
    runs = {smoothing: [answers(seed, smoothing) for seed in seeds] for smoothing in AMOUNTS}
    rows = {smoothing: [measures(*run) for run in each] for smoothing, each in runs.items()}
    for smoothing, each in rows.items():
        error, cost, sure, less = (np.mean([row[what] for row in each]) for what in each[0])
        told = f"{abs(less):.1%} {'less' if less > 0 else 'more'} than they are right"
        print(f"s = {smoothing:g}: test error {error:.2%}, test cost {cost:.3f}; sure of {sure:.1%}, {told}")
        for what in ("error", "cost") if smoothing else ():
            by = paired([row[what] for row in rows[0.0]], [row[what] for row in each])
            print(f"  {what}, beside that of s = 0: {by.side}, by {by} over {by.n} seeds (95% interval)")
    try:
        draw({smoothing: tuple(map(np.concatenate, zip(*each, strict=True))) for smoothing, each in runs.items()})
        print("picture: label_smoothing.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
