"""An autoencoder repairs digits of which a part was erased."""

from twingrad.benchmarks.claims import Claim, example, less

CLAIM = Claim(
    "An autoencoder puts erased parts of digits back better than the mean digit, and a classifier reads them better.",
    example("repair"),
    [
        less("error, repaired", "error, mean digit"),
        less("accuracy, left empty", "accuracy, repaired"),
        less("accuracy, mean digit", "accuracy, repaired"),
    ],
)
