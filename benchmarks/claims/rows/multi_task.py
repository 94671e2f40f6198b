"""Multi-task learning beats separate networks where labels are few."""

from twingrad.benchmarks.claims import Claim, example, less

CLAIM = Claim(
    "Eight questions about the digits, 50 answers for each and one on each picture: a network that shares its hidden "
    "layers, with missing answers masked, beats a network for each question on average.",
    example("multi_task"),
    [less("accuracy, separate", "accuracy, shared")],
)
