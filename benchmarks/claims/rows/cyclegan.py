"""CycleGAN on digits under a known transformation."""

from twingrad.benchmarks.claims import Claim, at_least, example, less

CLAIM = Claim(
    "CycleGAN's mapping of digits to mirrored negatives, learned from unpaired pictures, is right on at least 90% of "
    "held-out pairs, and worse without the cycle term, by which the best of three games is told; asked too: do more "
    "games go right with it.",
    example("cyclegan"),
    [
        at_least("right", 0.9),
        less("right, without the cycle", "right"),
        less("right in one game, without the cycle", "right in one game"),
    ],
)
