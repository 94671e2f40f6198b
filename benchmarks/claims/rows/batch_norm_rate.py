"""Batch norm tolerates a learning rate ten times larger."""

from twingrad.benchmarks.claims import Claim, at_least, at_most, example

CLAIM = Claim(
    "A network of eight hidden ReLU layers learns the digits by plain descent (80% of the dev digits after 30 epochs) "
    "at a rate ten times larger with batch norm than the largest without; the same rate without batch norm fails.",
    example("batch_norm_rate"),
    [
        at_least("log10 ratio", 0.99),
        at_least("accuracy, batch norm at ten times that", 0.8),
        at_most("accuracy, plain at ten times its largest", 0.8),
    ],
)
