"""What flows through a model: the output of each of its layers, and the gradient that comes back to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad import nn
from twingrad.analysis.table import host
from twingrad.autodiff import Tensor, custom_rule
from twingrad.data import Dataset
from twingrad.nn.copies import copied
from twingrad.nn.flat import moved
from twingrad.nn.state import host_copy
from twingrad.random import normal, stream_of
from twingrad.train.losses import Loss
from twingrad.train.objective import make_objective
from twingrad.train.placement import first_parameter, raw_inputs

Floats = NDArray[np.float64]
STREAM = stream_of("analysis.cotangent")


@dataclass(eq=False)
class Flow:
    """One call of a layer: its output as (rows, units), and the gradient of the cost there, None where none came."""

    path: str
    layer: nn.Module
    output: Floats
    gradient: Floats | None = None


def flows(model: nn.Module, x: Any, y: Any, loss: str | Loss) -> tuple[list[Flow], dict[str, Floats]]:
    """Each layer's flow in the order of the calls, and the gradients of the parameters by path.

    A copy of the model is used, in training mode with dropout off: running averages and masks stay as they are.
    y: None takes as cost a sum of the outputs, each times a standard normal number of its own.
    """
    found: list[Flow] = []
    copy = copied(model).train()
    for path, module in copy.modules():
        if not module._modules:
            module.forward = _watched(path, module, found)  # type: ignore[method-assign]
    preprocessing = getattr(model, "preprocessing", None)
    with nn.without_dropout(copy):
        outputs = copy(
            moved(raw_inputs(x, preprocessing), first_parameter(copy).data, keep_integers=copy.takes_integers)
        )
        if y is None:
            drawn = normal(tuple(outputs.shape), seed=0, stream=STREAM) / len(x)
            outputs.backward(moved(drawn, outputs.data))
        else:
            _cost(outputs, host(y), loss, preprocessing).backward()
    gradients = {path: p.grad for path, p in copy.named_parameters().items() if p.grad is not None}
    return found, {path: host_copy(grad).astype(np.float64) for path, grad in gradients.items()}


def _cost(outputs: Tensor, y: NDArray[Any], loss: str | Loss, preprocessing: Any) -> Any:
    task = preprocessing.task if preprocessing else Dataset(np.zeros((len(y), 1)), y).task
    objective = make_objective(task, int(outputs.shape[1]), loss, preprocessing)
    return objective.plain(outputs, moved(objective.targets(y), outputs.data, keep_integers=True))


def _watched(path: str, module: nn.Module, found: list[Flow]) -> Any:
    forward = module.forward

    def watched(x: Any) -> Any:
        out = forward(x)
        flow = Flow(path, module, _rows(out))
        found.append(flow)

        def came_back(g: Any, out: Any, x: Any) -> Any:
            flow.gradient = _rows(g)
            return g

        return custom_rule(came_back)(lambda values: values)(out)

    return watched


def _rows(array: Any) -> Floats:
    values = host_copy(array).astype(np.float64)
    return values.reshape(len(values), -1) if values.ndim < 3 else values.reshape(-1, values.shape[-1])
