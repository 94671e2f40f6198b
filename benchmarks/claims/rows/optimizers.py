"""Adam is at a loss in fewer epochs than momentum, and that in fewer than plain descent."""

from twingrad.benchmarks.claims import Claim, example, less

CLAIM = Claim(
    "On 12,000 images of Fashion-MNIST Adam reaches a training loss of 0.4 in fewer epochs than momentum, and momentum "
    "in fewer than plain descent: at the usual rates, and at the best rate of each, found on another seed. Runs end "
    "after 25 epochs, and one that is not there then counts as 26.",
    example("optimizers"),
    [
        less("epochs, momentum", "epochs, descent"),
        less("epochs, Adam", "epochs, momentum"),
        less("epochs, momentum, tuned", "epochs, descent, tuned"),
        less("epochs, Adam, tuned", "epochs, momentum, tuned"),
    ],
)
