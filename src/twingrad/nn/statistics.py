"""Statistics of batch normalisation, computed over the training set before a test."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twingrad.autodiff import no_grad
from twingrad.nn.layers import BatchNorm
from twingrad.nn.module import Module
from twingrad.nn.state import host_copy, write
from twingrad.nn.switches import without_dropout
from twingrad.recording import refuse_while_recording


def recompute_statistics(model: Module, batches: Iterable[Any]) -> None:
    """Replace the running statistics of each BatchNorm by the plain mean of the batches' own, all with equal weight:

        E[x] = mean_B mu_B        Var[x] = mean_B (n / (n - 1)) sigma_B^2

    An alternative to the running averages, which follow the weights with a delay: they may be far off after few steps,
    after a step with a large learning rate, and for averaged weights. Each batch is normalised by its own
    statistics, as in training; dropout is off, as in a test.

    batches: of what the model takes, (N, ...) arrays on its device with N of 2 or more; of tuples and lists, such as
    (x, y), the first. Batches of one size make all examples count the same; so does the whole training set as one,
    `[x]`, where memory holds it. Modes stay as they are, and where a batch fails the statistics stay too.

    Raises ValueError for a model without BatchNorm, and for no batches.
    Source: Ioffe and Szegedy 2015, Algorithm 2 (steps 8 to 11). PyTorch: torch.optim.swa_utils.update_bn, with dropout.

    >>> import numpy as np
    >>> from twingrad import nn
    >>> model = nn.Sequential(nn.BatchNorm(1))
    >>> recompute_statistics(model, [np.float32([[1], [2], [3], [4]]), np.float32([[3], [4], [5], [6]])])
    >>> print(model[0].running_mean, model[0].running_var)
    [3.5] [1.6666667]
    """
    refuse_while_recording("recompute_statistics", "it is no part of a step")
    layers = [module for _, module in model.modules() if isinstance(module, BatchNorm)]
    if not layers:
        raise ValueError(
            f"recompute_statistics: this {type(model).__name__} has no BatchNorm to compute statistics for"
        )
    modes = [(layer, layer.training, layer.momentum, layer.num_batches_tracked.value) for layer in layers]
    kept = [(buffer, host_copy(buffer)) for layer in layers for buffer in (layer.running_mean, layer.running_var)]
    try:
        _average(model, layers, batches)
    except BaseException:
        for buffer, values in kept:
            write(buffer, values)
        for layer, *_, tracked in modes:
            layer.num_batches_tracked.value = tracked
        raise
    finally:
        for layer, training, momentum, _ in modes:
            layer.training, layer.momentum = training, momentum


def _average(model: Module, layers: list[BatchNorm], batches: Iterable[Any]) -> None:
    """With momentum 1/k the k-th batch leaves the mean of the first k."""
    count = 0
    for layer in layers:
        layer.training, layer.num_batches_tracked.value = True, 0
    with no_grad(), without_dropout(model):
        for count, batch in enumerate(batches, 1):
            for layer in layers:
                layer.momentum = 1.0 / count
            model(batch[0] if isinstance(batch, tuple | list) else batch)
    if not count:
        raise ValueError("recompute_statistics: there are no batches to compute statistics of; give at least one")
