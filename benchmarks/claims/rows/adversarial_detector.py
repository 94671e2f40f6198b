"""A detector of adversarial examples, and the attack on both."""

from twingrad.benchmarks.claims import Claim, at_least, at_most, example, less

CLAIM = Claim(
    "A detector catches what the fast gradient sign method made; a step up the sum of both losses is not "
    "caught, but then the network is seldom wrong: more often, though, than wrong and not caught before.",
    example("adversarial_detector"),
    [
        at_least("caught, attack", 0.95),
        at_most("false alarms", 0.05),
        at_most("caught, joint attack", 0.5),
        less("wrong and not caught, attack", "wrong and not caught, joint attack"),
    ],
)
