"""Augmentation narrows the gap between train and test error."""

from twingrad.benchmarks.claims import Claim, example, less

CLAIM = Claim(
    "On 500 digits, bending and noise narrow the gap between train and test error, asked too of the test error. With "
    "seeds 0 to 19, measured before, that was undecided; hence the hundred after them.",
    example("augmentation"),
    [less("gap, augmented", "gap, plain"), less("test error, augmented", "test error, plain")],
    seeds=range(20, 120),
)
