"""Zero initialisation never breaks symmetry."""

from twingrad.benchmarks.claims import Claim, at_least, at_most, example, less

CLAIM = Claim(
    "Zeros leave the 32 hidden units of a network all alike after 20 epochs of Adam, and its accuracy at chance; "
    "random weights do not. A constant would too in exact arithmetic; in float32 rounding may tell a few of its "
    "units apart, by the order in which a matrix product adds.",
    example("symmetry"),
    [
        at_most("distinct units, zeros", 1.5),
        at_most("accuracy, zeros", 0.2),
        at_least("distinct units, random", 31.5),
        at_least("accuracy, random", 0.9),
        less("distinct units, constant", "distinct units, random"),
        less("accuracy, constant", "accuracy, random"),
    ],
)
