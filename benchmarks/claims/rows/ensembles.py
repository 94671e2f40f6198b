"""Ensembles of independent models and of snapshots."""

from twingrad.benchmarks.claims import Claim, example, less

CLAIM = Claim(
    "On Fashion-MNIST an ensemble of five models errs less than they do in the mean, and one of five snapshots of a "
    "run less than the last of them.",
    example("ensembles"),
    [
        less("error, ensemble of models", "error, mean of models"),
        less("error, ensemble of models", "error, best of models"),
        less("error, ensemble of snapshots", "error, mean of snapshots"),
        less("error, ensemble of snapshots", "error, last of snapshots"),
    ],
)
