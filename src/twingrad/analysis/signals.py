"""How strong activations and gradients are at each layer: vanishing, exploding, saturated and dead ones by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from twingrad import nn
from twingrad.analysis.table import aligned, host
from twingrad.analysis.watching import Floats, Flow, flows
from twingrad.data import Dataset, Table
from twingrad.train.checks import check_model
from twingrad.train.losses import AUTO, Loss, check_loss

LIMIT = 10.0
CLOSED = 0.05
"""A unit that passes on less than this share of the gradient, on average, is saturated."""
PASSED: dict[type[nn.Module], Callable[[Floats], Floats]] = {
    nn.Sigmoid: lambda a: 4.0 * a * (1.0 - a),
    nn.Tanh: lambda a: 1.0 - a * a,
}
"""Of each activation the derivative, told from its output, over the largest that it can have."""


@dataclass(frozen=True)
class LayerSignal:
    """What flows through one layer.

    path, layer: where it is and what it is. hidden: whether its output is what the next layer with weights is given.
    mean, deviation, rms: of its output over all examples and units. gradient_mean, gradient_deviation: of the
    derivative of the cost with respect to that; gradient_norm: of one example's, the root of the mean square. None
    where no gradient came.
    weight_gradient: the root mean square of the gradients of its parameters of two axes or more; None without.
    dead, saturated: its units that pass on nothing, or less than 5% of the gradient on average; by number.
    alike: whether all units have the same outputs and gradients, so that nothing will ever tell them apart.
    told: what is wrong with it.
    """

    path: str
    layer: str
    units: int
    hidden: bool
    mean: float
    deviation: float
    rms: float
    gradient_mean: float | None
    gradient_deviation: float | None
    gradient_norm: float | None
    weight_gradient: float | None
    dead: tuple[int, ...]
    saturated: tuple[int, ...]
    alike: bool
    told: tuple[str, ...] = ()


@dataclass(frozen=True)
class SignalReport:
    """The signals of a model, layer by layer; `str` of it is a table with what was found below.

    layers: in the order in which they are called. activation_growth: how many times as large the activations of the
    hidden layers become from one to the next, in the geometric mean; gradient_growth: the gradients, from the last
    hidden layer to the first. None where there are no two hidden layers, or nothing flows.
    """

    layers: tuple[LayerSignal, ...]
    activation_growth: float | None
    gradient_growth: float | None

    def named(self, *what: str) -> tuple[str, ...]:
        """The paths of the layers of which something that begins so is told, such as "activations vanish"."""
        return tuple(layer.path for layer in self.layers if any(told.startswith(what) for told in layer.told))

    @property
    def vanishing(self) -> tuple[str, ...]:
        """The layers where activations or gradients vanish."""
        return self.named("activations vanish", "gradients vanish")

    @property
    def exploding(self) -> tuple[str, ...]:
        """The layers where activations or gradients explode, or are no longer finite."""
        return self.named("activations explode", "gradients explode", "not finite")

    @property
    def saturated(self) -> dict[str, tuple[int, ...]]:
        """The saturated units, by layer."""
        return {layer.path: layer.saturated for layer in self.layers if layer.saturated}

    @property
    def dead(self) -> dict[str, tuple[int, ...]]:
        """The dead units, by layer."""
        return {layer.path: layer.dead for layer in self.layers if layer.dead}

    @property
    def ok(self) -> bool:
        """Whether nothing is told of any layer."""
        return not any(layer.told for layer in self.layers)

    def __str__(self) -> str:
        rows = [["layer", "", "mean", "deviation", "grad mean", "grad deviation", "weight grad", "dead", "saturated"]]
        for each in self.layers:
            numbers = (each.mean, each.deviation, each.gradient_mean, each.gradient_deviation, each.weight_gradient)
            counts = ["" if not n else f"{n} of {each.units}" for n in (len(each.dead), len(each.saturated))]
            rows.append([each.path, each.layer, *map(_shown, numbers), *counts])
        told = [f"{each.path}: {'; '.join(each.told)}" for each in self.layers if each.told]
        growths = {"activations": self.activation_growth, "gradients, backwards": self.gradient_growth}
        grown = [f"from layer to layer: {name} times {g:.3g}" for name, g in growths.items() if g is not None]
        return "\n".join(
            [*aligned(rows, left=2), *grown, *(told or ["nothing vanishes, explodes, saturates or is dead"])]
        )


def signal_report(
    model: nn.Module, x: Any, y: Any = None, *, loss: str | Loss = AUTO, limit: float = LIMIT
) -> SignalReport:
    """Mean and deviation of activations and gradients at each layer, and what is wrong with them.

    Compared are the hidden activations a[1], ..., a[L-1]: the outputs just before the next layer with weights. Their
    size is the root mean square; that of the gradients dJ/da[l] is the norm of an example's, which does not depend on
    how many units the layers have.

        activations vanish, explode     at a[l]: less than 1/limit, more than limit times as large as a[1]
        gradients vanish, explode       at a[l]: the same beside a[L-1]
        dead                            ReLU units that are 0 for every example, and pass on no gradient
        saturated                       sigmoid and tanh units with less than 5% of their largest derivative on average
        alike, no gradient              hidden units that nothing tells apart, or that nothing reaches: zero weights
        not finite                      NaN or infinity

    model: stays as it is; a copy runs in training mode, with dropout off. x: (N, ...) examples as `fit` takes them, or
    a `Dataset`, with its targets. y: targets, whose loss is the cost; None takes a weighted sum of the outputs, with
    standard normal weights. loss: as in `fit`.

    Raises ValueError for no examples, a limit of at most 1, targets that do not suit the model.
    Source: Glorot and Bengio 2010, section 4.2; the course's 1.5^L and 0.5^L.

    >>> half = lambda shape, **key: 0.5 * np.eye(*shape)
    >>> model = nn.Sequential(*(nn.Linear(2, 2, bias=False, init=half) for _ in range(10)))
    >>> report = signal_report(model, np.ones((4, 2)))
    >>> report.activation_growth, report.gradient_growth, report.vanishing
    (0.5, 0.5, ('0', '1', '2', '3', '4', '5', '6', '7', '8'))
    """
    check_model("signal_report", model)
    check_loss(loss)
    x, y = (x.x[:], x.y) if isinstance(x, Dataset) else (x, y)
    x = x if isinstance(x, Table) else host(x)
    if not limit > 1:
        raise ValueError(f"signal_report: limit is a ratio above 1; got {limit}")
    if not len(x):
        raise ValueError("signal_report: there are no examples; give x at least one")
    found, weights = flows(model, x, y, loss)
    chain = _hidden(found)
    with np.errstate(all="ignore"):  # what is not finite is told of its layer
        layers = [_signal(flow, weights, flow in chain) for flow in found]
    hidden = [layer for layer in layers if layer.hidden]
    return SignalReport(
        tuple(_judged(layer, hidden, limit) for layer in layers),
        _growth([layer.rms for layer in hidden]),
        _growth([layer.gradient_norm or 0.0 for layer in reversed(hidden)]),
    )


def _hidden(found: Sequence[Flow]) -> list[Flow]:
    """For each layer with weights but the first the call before it that made its input; dropout makes nothing."""
    weighted = [any(len(p.shape) > 1 for p in flow.layer._parameters.values()) for flow in found]
    made = [i for i, flow in enumerate(found) if not isinstance(flow.layer, nn.Dropout)]
    later = [i for i, is_one in enumerate(weighted) if is_one][1:]
    return [found[max(i for i in made if i < place)] for place in later]


def _signal(flow: Flow, weights: dict[str, Floats], hidden: bool) -> LayerSignal:
    a, g, prefix = flow.output, flow.gradient, f"{flow.path}." if flow.path else ""
    own = [weights[prefix + name] for name, p in flow.layer._parameters.items() if prefix + name in weights and p.decay]
    passed = PASSED[type(flow.layer)](a).mean(axis=0) if type(flow.layer) in PASSED else np.ones(a.shape[1])
    dead = (a <= 0).all(axis=0) & (type(flow.layer) is nn.ReLU)
    return LayerSignal(
        path=flow.path or "model",
        layer=repr(flow.layer),
        units=a.shape[1],
        hidden=hidden,
        mean=float(a.mean()),
        deviation=float(a.std()),
        rms=_rms(a),
        gradient_mean=None if g is None else float(g.mean()),
        gradient_deviation=None if g is None else float(g.std()),
        gradient_norm=None if g is None else _rms(g) * math.sqrt(g.shape[1]),
        weight_gradient=_rms(np.concatenate([each.ravel() for each in own])) if own else None,
        dead=tuple(np.flatnonzero(dead).tolist()),
        saturated=tuple(np.flatnonzero(passed < CLOSED).tolist()),
        alike=hidden and a.shape[1] > 1 and _alike(a) and (g is None or _alike(g)),
    )


def _judged(layer: LayerSignal, hidden: Sequence[LayerSignal], limit: float) -> LayerSignal:
    """The layer with what is wrong with it."""
    told = []
    if not all(math.isfinite(value) for value in (layer.rms, layer.gradient_norm or 0.0)):
        told.append("not finite")
    if layer.hidden:
        told += _compared("activations", layer.rms, hidden[0].rms, "the first hidden layer's", limit)
        told += _compared("gradients", layer.gradient_norm, hidden[-1].gradient_norm, "the last hidden layer's", limit)
        told += ["no gradient: it is 0 everywhere"] * (not layer.gradient_norm)
        told += ["alike: all units have the same outputs and gradients"] * layer.alike
    told += _units("dead", layer.dead, layer.units) + _units("saturated", layer.saturated, layer.units)
    return replace(layer, told=tuple(told))


def _compared(what: str, size: float | None, reference: float | None, whose: str, limit: float) -> list[str]:
    if not reference or size is None or not (math.isfinite(size) and math.isfinite(reference)):
        return []
    ratio = size / reference
    how = "vanish" if ratio < 1 / limit else "explode" if ratio > limit else ""
    return [f"{what} {how}: {ratio:.2g} times {whose}"] * bool(how)


def _units(what: str, which: tuple[int, ...], units: int) -> list[str]:
    if not which:
        return []
    return [f"{what}: all {units} units" if len(which) == units else f"{what}: {len(which)} of {units} units"]


def _growth(sizes: Sequence[float]) -> float | None:
    """The geometric mean of the ratios of neighbours."""
    if len(sizes) < 2 or not sizes[0]:
        return None
    return float((sizes[-1] / sizes[0]) ** (1 / (len(sizes) - 1)))


def _rms(values: Floats) -> float:
    """The root mean square, of numbers of any size."""
    largest = float(np.abs(values).max(initial=0.0))
    scaled = values / largest if 0 < largest < math.inf else values
    return math.sqrt(float((scaled * scaled).mean())) * (largest if 0 < largest < math.inf else 1.0)


def _alike(values: Floats) -> bool:
    return bool((values == values[:, :1]).all())


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
