"""CycleGAN on digits under a known transformation."""

from twingrad.benchmarks.claims import Claim, at_least, example, less

CLAIM = Claim(
    "Of three games of CycleGAN, learning from unpaired pictures to turn digits into mirrored negatives, the one of "
    "the least objective is right on at least 90% of held-out pairs; of three played and chosen without the cycle term "
    "it is right on fewer. Asked too: does a single game go right more often with that term.",
    example("cyclegan"),
    [
        at_least("right", 0.9),
        less("right, without the cycle", "right"),
        less("right in one game, without the cycle", "right in one game"),
    ],
)
