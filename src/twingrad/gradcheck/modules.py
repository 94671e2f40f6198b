"""A model with a cost as a problem of gradient checking: a float64 copy whose masks and running averages hold still."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from twingrad import nn, optim
from twingrad.autodiff import Tensor, no_grad
from twingrad.gradcheck.differences import Floats, Line, cost_at
from twingrad.gradcheck.functions import as_float64, is_floating, scalar
from twingrad.namespace import namespace_of
from twingrad.nn.copies import copied
from twingrad.nn.flat import moved
from twingrad.nn.state import host_copy

KINKED = (nn.ReLU, nn.LeakyReLU)
"""Layers with a kink at 0, which reports name."""


class OfModule:
    """cost(model) by the parameters of a float64 copy of a model that are not frozen; see `differences.Problem`.

    weight_decay: the cost gets weight_decay/2 times the squares of the parameters that decay, and the gradient is the
    one that `optim.SGD` descends with this weight_decay.
    """

    def __init__(self, model: nn.Module, cost: Callable[[nn.Module], Any], weight_decay: float) -> None:
        self.model, self._cost, self.weight_decay, self.evaluations = _copied(model), cost, weight_decay, 0
        self.mode = "train" if model.training else "eval"
        named: dict[nn.Parameter, str] = {}
        for path, parameter in self.model.named_parameters().items():
            named.setdefault(parameter, path)
        self.parameters = [parameter for parameter in named if parameter.requires_grad]
        self.frozen = [path for parameter, path in named.items() if not parameter.requires_grad]
        if not self.parameters:
            why = f"they are frozen: {', '.join(self.frozen)}" if self.frozen else "there are none"
            raise ValueError(f"check_grads: {model!r} has no parameters to check; {why}")
        self.names = [named[parameter] for parameter in self.parameters]
        self.shapes = [tuple(parameter.shape) for parameter in self.parameters]
        self.values = [host_copy(parameter).reshape(-1) for parameter in self.parameters]
        self._buffers = [(b, host_copy(b)) for _, module in self.model.modules() for b in module._buffers.values()]
        self._counters = [(counter, counter.value) for counter in self.model.counters().values()]
        self._signs: list[tuple[str, Any]] | None = None
        for path, module in self.model.modules():
            if isinstance(module, KINKED):
                module.forward = self._watched(path, module, module.forward)  # type: ignore[method-assign]

    def put(self, number: int, where: Any, values: Any) -> None:
        """See `Problem`."""
        parameter = self.parameters[number]
        flat = self.model.flat()
        offset, length = flat.segments[parameter.segment].tolist()
        if isinstance(where, int):
            flat.theta[offset + where] = float(values)
        else:
            flat.theta[offset : offset + length] = moved(values, flat.theta)

    def cost(self) -> float:
        """See `Problem`."""
        self.evaluations += 1
        self._hold()
        with no_grad():
            return scalar(self._cost(self.model)) + self._penalty()

    def gradient(self) -> list[Floats]:
        """See `Problem`: what `backward` leaves in the flat gradient; 0 where it leaves nothing."""
        self._hold()
        self.model.flat().zero_grad()
        self._cost(self.model).backward()
        if self.weight_decay:
            return self._descended()
        return [
            np.zeros(parameter.size) if parameter.grad is None else host_copy(parameter.grad).reshape(-1)
            for parameter in self.parameters
        ]

    def crossed(self, number: int, line: Line, step: float) -> str:
        """See `Problem`."""
        below, above = (self._signs_at(number, line, t) for t in (-step, step))
        found: dict[str, int] = {}
        for (name, before), (_, after) in zip(below, above, strict=False):
            found[name] = found.get(name, 0) + int((before != after).sum())
        return ", ".join(f"{n} input{'s' * (n > 1)} of {name}" for name, n in found.items() if n)

    def _hold(self) -> None:
        """Put random counters and running averages back to where they stood."""
        for buffer, values in self._buffers:
            buffer[...] = moved(values, buffer)
        for counter, value in self._counters:
            counter.value = value

    def _penalty(self) -> float:
        decaying = [parameter.data for parameter in self.parameters if self.weight_decay and parameter.decay]
        return self.weight_decay / 2 * sum(float(namespace_of(p).sum(p * p)) for p in decaying)

    def _descended(self) -> list[Floats]:
        """theta before less theta after a step of plain descent at rate 1."""
        optim.SGD(self.model, lr=1.0, weight_decay=self.weight_decay).step()
        after = [host_copy(parameter).reshape(-1) for parameter in self.parameters]
        for number, values in enumerate(self.values):
            self.put(number, slice(None), values)
        return [before - now for before, now in zip(self.values, after, strict=True)]

    def _watched(self, path: str, module: nn.Module, forward: Callable[..., Any]) -> Callable[..., Any]:
        def watched(x: Any) -> Any:
            if self._signs is not None:
                self._signs.append((f"{module!r} {path!r}", host_copy(x) > 0))
            return forward(x)

        return watched

    def _signs_at(self, number: int, line: Line, t: float) -> list[tuple[str, Any]]:
        found: list[tuple[str, Any]] = []
        self._signs = found
        try:
            cost_at(self, number, line, t)
        finally:
            self._signs = None
        return found


def cost_of(model: nn.Module, loss: Callable[..., Any], batch: tuple[Any, ...]) -> Callable[[nn.Module], Any]:
    """loss(model(x), *targets) for a batch (x, *targets), floats in float64; loss(model) without one.

    Raises TypeError where the loss needs a batch and there is none.
    """
    if not batch:
        _check_takes_a_model_alone(loss)
        return loss
    arrays = [a.data if isinstance(a, Tensor) else a for a in batch]
    x, *targets = [as_float64(a) if is_floating(a) else a for a in arrays]
    return lambda model: loss(model(x), *targets)


def _check_takes_a_model_alone(cost: Callable[..., Any]) -> None:
    try:
        signature = inspect.signature(cost)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(None)
    except TypeError as error:
        raise TypeError(
            f"check_grads has no batch, and {getattr(cost, '__name__', cost)} is no cost of the model alone ({error}): "
            "check_grads(model, loss, x, y), or check_grads(model, lambda model: ...)"
        ) from None


def _copied(model: nn.Module) -> nn.Module:
    """A float64 copy with the same values, modes, counters and seed; the model itself stays as it is."""
    found = copied(model)
    first = next(iter(found._unique()), None)
    return found if first is None else found.to(like=as_float64(first.data))
