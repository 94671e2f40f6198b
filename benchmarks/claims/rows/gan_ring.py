"""A generator covers a ring of eight modes."""

from twingrad.benchmarks.claims import Claim, at_least, example, less

CLAIM = Claim(
    "On average over seeds a generator gives the rarest of eight modes of a ring 5% of its samples or more, and 80% of "
    "all lie within three deviations of a mode; asked too: does the minimax form leave a rarer mode. With seeds 0 to "
    "19, measured before, that was undecided; hence the forty after them.",
    example("gan_ring"),
    [
        at_least("good samples", 0.8),
        at_least("rarest mode", 0.05),
        at_least("modes above 2%", 7.5),
        less("rarest mode, minimax", "rarest mode"),
    ],
    seeds=range(20, 60),
)
