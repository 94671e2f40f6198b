"""He's initialisation trains thirty ReLU layers; deviations of 1 and 0.01 do not."""

from twingrad.benchmarks.claims import Claim, at_least, at_most, example, less

CLAIM = Claim(
    "A network of 30 hidden ReLU layers learns the digits from He's initialisation, not from weights of deviation 1 or "
    "0.01.",
    example("deep_relu"),
    [
        at_least("accuracy, He", 0.8),
        at_most("accuracy, deviation 1", 0.5),
        at_most("accuracy, deviation 0.01", 0.2),
        less("accuracy, deviation 1", "accuracy, He"),
        less("accuracy, deviation 0.01", "accuracy, He"),
    ],
)
