"""Random search beats a grid where one hyperparameter matters, and coarse-to-fine beats both."""

from twingrad.benchmarks.claims import Claim, example, less

CLAIM = Claim(
    "With 25 trials each, where the learning rate matters and epsilon does not, random search finds a lower dev loss "
    "than a grid, and coarse-to-fine a lower one than both. With seeds 0 to 19, measured before, coarse-to-fine "
    "against random search was undecided; hence the forty after them.",
    example("search_strategies"),
    [
        less("log loss, random", "log loss, grid"),
        less("log loss, coarse-to-fine", "log loss, random"),
        less("log loss, coarse-to-fine", "log loss, grid"),
    ],
    seeds=range(20, 60),
)
