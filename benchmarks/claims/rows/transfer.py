"""Transfer beats training from scratch with 100 labelled examples."""

from twingrad.benchmarks.claims import Claim, example, less

CLAIM = Claim(
    "With 100 labelled pictures, a network whose hidden layers learned from 10,000 others beats one from scratch: on "
    "another question about the same kind of pictures, and on five classes of clothes that it has not seen.",
    example("transfer"),
    [
        less("new question, from scratch", "new question, last layer trained"),
        less("new question, from scratch", "new question, fine-tuned"),
        less("unseen classes, from scratch", "unseen classes, last layer trained"),
        less("unseen classes, from scratch", "unseen classes, fine-tuned"),
    ],
)
