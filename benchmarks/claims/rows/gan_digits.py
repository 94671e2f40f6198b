"""Latent arithmetic on generated digits, scored by a classifier."""

from twingrad.benchmarks.claims import Claim, at_least, example, less

CLAIM = Claim(
    "Strong a - faint a + faint b, added in the noise of a generator of digits, is read as a strong b by a classifier "
    "of real digits more often than a random step of that length, and than by chance, 1 in 20.",
    example("gan_digits"),
    [
        at_least("kinds above 0.5%", 18),
        less("random steps read so", "sums read as wished"),
        at_least("sums read as wished", 0.05),
        at_least("sums read as wished", 0.5),
    ],
)
