"""A regression on scikit-learn's diabetes table, beside its MLPRegressor, over ten seeds.

442 patients, ten measurements each; what is predicted is the progression of the disease after a year. Both learn with
one hidden layer of 100 ReLU units, Adam at 1e-3 and an L2 penalty of 1e-4, 100 epochs of batches of 64, on the same
three quarters of the patients, with features and targets standardised by them; R2 is that of the last quarter.
"""

import sys
import warnings

import numpy as np

import twingrad as tg
from twingrad import optim
from twingrad.data import Dataset
from twingrad.train import dense, evaluate

try:
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.datasets import load_diabetes
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
except ImportError:
    sys.exit("this example compares with scikit-learn: pip install '.[oracle]'")

warnings.simplefilter("ignore", ConvergenceWarning)  # it is told to stop after so many epochs
SEEDS, EPOCHS, ALPHA = range(10), 100, 1e-4


def ours(data, seed):
    """R2 on the test part, in the targets' own units: the model keeps the preprocessing that the train part gave."""
    model = dense(10, 1, hidden=[100], seed=seed)
    optimizer = optim.Adam(lr=1e-3, weight_decay=ALPHA / len(data.train))  # scikit-learn divides by the examples
    options = {"batch_size": 64, "epochs": EPOCHS, "keep": "last", "device": "cpu", "seed": seed}
    tg.fit(model, data.train, optimizer=optimizer, preprocessing="auto", **options)
    return evaluate(model, data.test).r2


def theirs(data, seed):
    """R2 of MLPRegressor, which must be wrapped to scale its targets, and told not to stop."""
    options = {"batch_size": 64, "max_iter": EPOCHS, "n_iter_no_change": EPOCHS + 1, "random_state": seed}
    network = MLPRegressor(hidden_layer_sizes=(100,), alpha=ALPHA, **options)
    regressor = TransformedTargetRegressor(make_pipeline(StandardScaler(), network), transformer=StandardScaler())
    return regressor.fit(data.train.x, data.train.y).score(data.test.x, data.test.y)


def draw(scores):
    """R2 of both by seed: diabetes.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), dpi=120, layout="constrained")
    axes = figure.subplots()
    for shift, name, values in zip((-0.1, 0.1), ("twingrad", "MLPRegressor"), np.transpose(scores), strict=True):
        axes.plot(np.asarray(SEEDS) + shift, values, "o", label=name)
    axes.set(xlabel="seed", ylabel="R2 on the last quarter", xticks=SEEDS, ylim=(0, None))
    axes.legend(frameon=False, loc="lower right")
    figure.savefig("diabetes.png")


x, y = load_diabetes(return_X_y=True, scaled=False)
table = Dataset(x, y, name="diabetes")
print(f"{table}: {table.task}, because {table.task_reason}")
scores = []
for seed in SEEDS:
    data = table.split(0.75, 0.0, 0.25, seed=seed)
    scores.append((ours(data, seed), theirs(data, seed)))
    print(f"seed {seed}: R2 {scores[-1][0]:.4f}, MLPRegressor {scores[-1][1]:.4f}")
mean = np.mean(scores, axis=0)
print(f"mean: R2 {mean[0]:.4f}, MLPRegressor {mean[1]:.4f}, ratio {mean[0] / mean[1]:.3f}")
try:
    draw(scores)
    print("picture: diabetes.png")
except ImportError:
    print("no picture: pip install 'twingrad[plot]'")
