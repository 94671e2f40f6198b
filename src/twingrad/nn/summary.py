"""What a model tells of itself: its layers, what is fused, biases that do nothing, zeros among its weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from twingrad.nn.parameter import Parameter
from twingrad.nn.state import host_copy

if TYPE_CHECKING:
    from twingrad.nn.module import Module


def summary(model: Module) -> str:
    """See `Module.summary`."""
    rows = [
        (path or "model", module.describe(), sum(p.size for p in module._parameters.values()))
        for path, module in model.modules()
    ]
    rows = [row for row in rows if row[0] != "model" or not model._modules]
    total, passes = sum(p.size for p in model._unique()), _passes(model)
    widths = [max(len(str(row[i])) for row in [*rows, ("layer", "", "parameters")]) for i in range(3)]
    lines = [f"{'layer':{widths[0]}}  {'':{widths[1]}}  {'parameters':>{widths[2]}}"]
    lines += [f"{a:{widths[0]}}  {b:{widths[1]}}  {c:>{widths[2]},}{passes.get(a, '')}" for a, b, c in rows]
    lines += [f"{'total':{widths[0]}}  {'':{widths[1]}}  {total:>{widths[2]},}", *_advice(model)]
    return "\n".join(lines)


def sparsity(weights: Mapping[str, Parameter]) -> dict[str, float]:
    """See `Module.sparsity`; weights by path, none of them empty."""
    zeros = {path: int((host_copy(p) == 0).sum()) for path, p in weights.items()}
    shares = {path: zeros[path] / p.size for path, p in weights.items()}
    return shares | {"total": sum(zeros.values()) / max(1, sum(p.size for p in weights.values()))}


def _passes(model: Module) -> dict[str, str]:
    """What `summary` says of each layer, by path, that runs in the pass of another."""
    return {
        f"{prefix}{name}": f"  in the pass of {prefix}{head}"
        for prefix, module in _below(model)
        for name, head in module.joined().items()
    }


def _advice(model: Module) -> list[str]:
    """A line for each bias that does nothing."""
    return [
        f"{prefix}{name}: bias=False is enough, for {prefix}{by} subtracts the mean and adds a bias of its own"
        for prefix, module in _below(model)
        for name, by in module.useless_biases().items()
    ]


def _below(model: Module) -> Iterator[tuple[str, Module]]:
    """Each module with what stands before the names of its own."""
    return ((f"{path}." if path else "", module) for path, module in model.modules())
