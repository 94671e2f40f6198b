"""The fast gradient sign method, and training on what it makes."""

from twingrad.benchmarks.claims import Claim, at_least, at_most, example, less

CLAIM = Claim(
    "A step of 0.12 by the fast gradient sign method takes a digit classifier from above 95% to below 30%, random "
    "signs of that size do not, other networks are fooled too, and training on such examples restores most.",
    example("adversarial"),
    [
        at_least("accuracy", 0.95),
        at_most("accuracy, attacked", 0.3),
        less("accuracy, attacked", "accuracy, random signs"),
        at_least("accuracy, random signs", 0.9),
        less("accuracy, attack made for another network", "accuracy, random signs"),
        at_least("share restored, trained on attacks", 0.5),
        at_least("accuracy, trained on attacks", 0.95),
        at_least("share restored, logit pairing", 0.5),
    ],
)
