"""What is searched: a scale for each hyperparameter, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twingrad.choice import choose
from twingrad.functional.checks import integer
from twingrad.train.checks import OPTIMIZERS
from twingrad.tune.scales import Choice, Integers, LogUniform, OneMinusLogUniform, Scale

Space = Mapping[str, Scale]

DEFAULT: dict[str, Scale] = {
    "lr": LogUniform(1e-4, 1.0),
    "batch_size": Integers(16, 256, log=True),
    "units": Integers(16, 256, log=True),
    "momentum": OneMinusLogUniform(0.9, 0.999),
    "layers": Integers(1, 4),
    "decay": LogUniform(1e-3, 1.0),
    "beta1": OneMinusLogUniform(0.8, 0.99),
    "beta2": OneMinusLogUniform(0.99, 0.9999),
    "weight_decay": LogUniform(1e-6, 1e-2),
    "activation": Choice("relu", "leaky-relu", "tanh", "sigmoid"),
}
"""In the course's order of importance; weight_decay is its lambda/m, decay the rate of 1/(1 + decay epoch)."""
OF_RULES = ("momentum", "beta1", "beta2")
"""What not every optimizer takes."""


def default_space(optimizer: str = "adam", first: int | None = None) -> dict[str, Scale]:
    """The course's hyperparameters in its order of importance, without those that the optimizer lacks.

    learning rate; batch size; hidden units; momentum; layers; learning-rate decay; Adam's betas; lambda; activation.
    first: only so many of them. Raises ValueError for an unknown optimizer, or `first` out of range.

    >>> list(default_space("sgd", first=4)), list(default_space("adam"))[5:7]
    (['lr', 'batch_size', 'units', 'momentum'], ['beta1', 'beta2'])
    """
    takes = OPTIMIZERS[choose("optimizer", optimizer, OPTIMIZERS)].options
    found = {name: scale for name, scale in DEFAULT.items() if name not in OF_RULES or name in takes}
    if first is not None and not 1 <= integer("default_space: first", first) <= len(found):
        raise ValueError(f"default_space: first must be from 1 to the {len(found)} of {optimizer}; got {first}")
    return dict(list(found.items())[:first])


def check_space(space: Any) -> dict[str, Scale]:
    """The space as a dict of scales by name.

    Raises:
        TypeError: no mapping of names to scales. ValueError: an empty one.
    """
    if not isinstance(space, Mapping):
        raise TypeError(f"a space maps names to scales such as LogUniform(1e-4, 1); got a {type(space).__name__}")
    if not space:
        raise ValueError("a space must hold at least one hyperparameter; got none")
    for name, scale in space.items():
        if not isinstance(name, str) or not isinstance(scale, Scale):
            raise TypeError(f"space: {name!r} must be a name with a scale such as LogUniform(1e-4, 1); got {scale!r}")
    return dict(space)
