"""In one dimension the discriminator and the value of the game are known."""

from twingrad.benchmarks.claims import Claim, at_most, example, less

CLAIM = Claim(
    "Against a fixed generator the discriminator learns p / (p + q), and the game's value is 2 JSD - log 4; playing "
    "brings the generator nearer to the data, with three discriminator updates a round more than with one.",
    example("gan_mixture"),
    [
        at_most("mean distance of D and D*", 0.02),
        at_most("distance of the value and 2 JSD - log 4", 0.02),
        less("JSD after, k = 1", "JSD before"),
        less("JSD after, k = 3", "JSD after, k = 1"),
    ],
)
