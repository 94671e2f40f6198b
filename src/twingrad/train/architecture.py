"""A Sequential model as plain data, and back: what a model file needs to rebuild its network."""

from __future__ import annotations

from typing import Any

from twingrad import nn
from twingrad.choice import choose

LAYERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "Linear": (nn.Linear, {"in_features": int, "out_features": int, "bias": lambda value: value is not None}),
    "BatchNorm": (nn.BatchNorm, {"num_features": int, "eps": float, "momentum": float}),
    "LayerNorm": (nn.LayerNorm, {"num_features": int, "eps": float}),
    "Embedding": (nn.Embedding, {"num_embeddings": int, "embedding_dim": int}),
    "Flatten": (nn.Flatten, {}),
    "Dropout": (nn.Dropout, {"p": float}),
    "ReLU": (nn.ReLU, {}),
    "LeakyReLU": (nn.LeakyReLU, {"negative_slope": float}),
    "Sigmoid": (nn.Sigmoid, {}),
    "Tanh": (nn.Tanh, {}),
    "Softmax": (nn.Softmax, {"axis": int}),
}
"""For each layer: its class, and the constructor's arguments, which its attributes of the same name give back."""


def describe(model: Any) -> dict[str, Any] | None:
    """The layers of a Sequential with their arguments, and its seed; None for a model of another make.

    >>> describe(nn.Sequential(nn.Linear(2, 3, bias=False), nn.ReLU(), seed=5))["layers"][1]
    {'type': 'ReLU'}
    """
    if type(model) is not nn.Sequential:
        return None
    layers = list(model)
    if not all(LAYERS.get(type(layer).__name__, (None,))[0] is type(layer) for layer in layers):
        return None
    return {"seed": model.seed, "layers": [_describe_layer(layer) for layer in layers]}


def build(description: dict[str, Any]) -> nn.Sequential:
    """The network that `describe` described, with initial weights."""
    layers = []
    for entry in description["layers"]:
        arguments = dict(entry)
        kind, _ = LAYERS[choose("layer", arguments.pop("type"), LAYERS)]
        layers.append(kind(**arguments))
    return nn.Sequential(*layers, seed=description["seed"])


def _describe_layer(layer: Any) -> dict[str, Any]:
    name = type(layer).__name__
    _, arguments = LAYERS[name]
    return {"type": name} | {argument: kind(getattr(layer, argument)) for argument, kind in arguments.items()}
