"""Copies of models, and of parts of them."""

from __future__ import annotations

import copy

from twingrad.nn.module import Module


def copied(model: Module) -> Module:
    """A model of its own with the same values, modes, counters and seed, which keeps its values wherever it is put; of
    a part of a model too. `model` stays as it is.
    """
    found = copy.deepcopy(model)
    if found.seed != model.root().seed:
        found.seed = model.root().seed
    for parameter in found._unique():
        parameter.origin = None
    return found
