"""Many models: twenty settings of five hyperparameters on two processes, pruned, kept in a folder, and looked at after.

The space is the course's default, in its order of importance. What is searched is the dev accuracy on the digits; the
folder holds the study, so that a search that was killed goes on where it was.
"""

import importlib.util
import sys
import tempfile

import twingrad as tg
from twingrad import optim
from twingrad.optim.schedules import InverseTime
from twingrad.train import dense
from twingrad.tune import default_space, importance_png, search, slices_png

SPACE = default_space("adam", first=5)


def objective(values, report):
    """The dev accuracy of a setting after ten epochs; told after each, so that a bad one can be given up."""
    data = tg.data.load("digits").split(seed=0)
    model = dense(64, 10, hidden=[values["units"]] * values["layers"], seed=0)
    optimizer = optim.Adam(lr=InverseTime(values["lr"], decay=values["decay"]))
    options = {"epochs": 10, "batch_size": values["batch_size"], "device": "cpu"}
    return tg.fit(
        model, data, optimizer=optimizer, callbacks=[report.watch("dev_accuracy")], **options
    ).best.dev_accuracy


def main():
    """The search, cut short once; the best settings, and what mattered."""
    if importlib.util.find_spec("optuna") is None:
        sys.exit("this example needs Optuna: pip install '.[tune]'")
    print(f"searched: {', '.join(f'{name} {scale}' for name, scale in SPACE.items())}")
    with tempfile.TemporaryDirectory() as folder:
        options = {"maximize": True, "prune": True, "folder": folder}
        search(objective, SPACE, trials=6, **options)
        found = search(objective, SPACE, trials=20, workers=2, **options)
    states = [trial.state for trial in found]
    print(f"{states.count('complete')} complete, {states.count('pruned')} pruned, {states.count('diverged')} diverged")
    for trial in found.ranked[:3]:
        print(trial)
    print("importance:", {name: f"{share:.0%}" for name, share in found.importance().items()})
    for name, content in {"importance": importance_png(found), "slices": slices_png(found, "dev accuracy")}.items():
        if content is None:
            print("no picture: pip install 'twingrad[plot]'")
        else:
            with open(f"tuning_{name}.png", "wb") as file:
                file.write(content)
            print(f"picture: tuning_{name}.png")


if __name__ == "__main__":
    main()
