"""Random search beats a grid where one hyperparameter matters, and coarse-to-fine beats both."""

from twingrad.benchmarks.claims import Claim, example, less

CLAIM = Claim(
    "With 25 trials each, where the learning rate matters and epsilon does not, random search finds a lower dev loss "
    "than a grid, and coarse-to-fine a lower one than both. 60 seeds: the first 20 leave coarse-to-fine against random "
    "search undecided.",
    example("search_strategies"),
    [
        less("log loss, random", "log loss, grid"),
        less("log loss, coarse-to-fine", "log loss, random"),
        less("log loss, coarse-to-fine", "log loss, grid"),
    ],
    seeds=range(60),
)
