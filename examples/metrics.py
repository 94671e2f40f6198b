"""One number to choose by: precision and recall in F1, groups in their mean, a limit beside what is optimised, weights.

The course's tables first, whose answers are known. Then networks that read digits and were shown ten sevens, one with
all classes weighing the same in its cost. Accuracy averages over the digits and says little of the sevens; recall by
class, macro F1, and an error weighted by what a mistake costs, tell the two networks apart.
"""

import numpy as np

import twingrad as tg
from twingrad import optim
from twingrad.analysis import GroupErrors, best_system, class_report, f1_score, weighted_error
from twingrad.train import dense, predict

COUNTRIES = ("US", "China", "India", "other")
ERRORS = {
    "A": (3, 7, 5, 9),
    "B": (5, 6, 5, 10),
    "C": (2, 3, 4, 5),
    "D": (5, 8, 7, 2),
    "E": (4, 5, 2, 4),
    "F": (7, 11, 8, 12),
}
SYSTEMS = {"A": {"accuracy": 0.90, "ms": 80}, "B": {"accuracy": 0.92, "ms": 95}, "C": {"accuracy": 0.95, "ms": 1500}}
RARE, KEPT, WEIGHT = 7, 10, 10.0


def tables():
    """The course's answers."""
    a, b = f1_score(0.95, 0.90), f1_score(0.98, 0.85)
    print(f"precision and recall 95%, 90%: F1 {a:.4f}; 98%, 85%: F1 {b:.4f}")
    groups = {name: GroupErrors(dict(zip(COUNTRIES, row, strict=True))) for name, row in ERRORS.items()}
    print("mean error over countries: " + ", ".join(f"{name} {each.mean:g}%" for name, each in groups.items()))
    print("the best: " + best_system({name: {"error": each.mean} for name, each in groups.items()}, minimise="error"))
    print("most accurate: " + best_system(SYSTEMS, maximise="accuracy"), end="; ")
    print("within 100 ms: " + best_system(SYSTEMS, maximise="accuracy", at_most={"ms": 100}))
    n = np.arange(1000)
    wrong, weight = {"A": n < 30, "B": (n >= 10) & (n < 60)}, np.where(n < 10, WEIGHT, 1.0)
    for name, each in wrong.items():
        print(
            f"{name} is wrong on {each.mean():.1%}; with ten pictures weighing ten {weighted_error(each, weight):.1%}"
        )


def networks():
    """Predictions on the test digits of a network that saw ten sevens, plainly and with all classes balanced."""
    data = tg.data.load("digits").split(seed=0)
    of_rare = np.flatnonzero(data.train.y == RARE)
    few = data.train.take(np.setdiff1d(np.arange(len(data.train)), of_rare[KEPT:]))
    found = {}
    for name, weight in (("plain", None), ("balanced", "balanced")):
        model = dense(64, 10, hidden=[32], seed=0)
        tg.fit(model, few, optimizer=optim.Adam(lr=3e-3), epochs=20, class_weight=weight, keep="last", device="cpu")
        found[name] = predict(model, data.test.x)
    return data.test, found


def draw(reports):
    """Recall of each digit, with its interval: metrics.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
    axes = figure.subplots()
    for shift, (name, report) in zip((-0.1, 0.1), reports.items(), strict=True):
        each = [report.to_dict()["classes"][digit] for digit in report.classes]
        rates, ends = [c["recall"] for c in each], [c["recall_interval"] for c in each]
        away = [[r - low for r, (low, _) in zip(rates, ends, strict=True)]]
        away += [[high - r for r, (_, high) in zip(rates, ends, strict=True)]]
        axes.errorbar(np.arange(10) + shift, rates, away, fmt="o", label=name)
    axes.set(xticks=range(10), xlabel=f"digit; of {RARE} only {KEPT} were learned from", ylabel="recall")
    axes.legend(frameon=False, loc="lower left")
    figure.savefig("metrics.png")


def main():
    """The tables, then both networks by accuracy, by class, and by the weighted error."""
    tables()
    test, found = networks()
    weights = np.where(test.y == RARE, WEIGHT, 1.0)
    reports = {name: class_report(test.y, predicted, test.classes) for name, predicted in found.items()}
    for name, report in reports.items():
        wrong = weighted_error(found[name] != test.y, weights)
        print(f"{name}: accuracy {report.accuracy}, recall of {RARE} {report.recall[RARE]:.1%}", end=", ")
        print(f"macro F1 {report.macro_f1:.1%}, error with mistakes on {RARE} ten times {wrong:.2%}")
    print(reports["plain"])
    try:
        draw(reports)
        print("picture: metrics.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
