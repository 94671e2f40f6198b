"""Transfer learning: what was learned stays, or changes slowly; the last layers are new."""

from __future__ import annotations

from twingrad.functional.checks import integer, non_negative
from twingrad.nn.module import Module
from twingrad.nn.parameter import Parameter
from twingrad.nn.sequential import Sequential


def freeze(*modules: Module, frozen: bool = True) -> None:
    """Leave the parameters of these modules as they are while the rest trains; frozen=False lets them train again.

    No gradient is computed for them, and an optimizer's one pass skips their segments: no decay, no step counted, so
    that thawed later they begin at step 1. Running averages of batch normalisation go on in training mode, as in
    PyTorch. Raises TypeError for what is no module, ValueError where there is no parameter.

    >>> from twingrad import nn
    >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> freeze(model[0])
    >>> [name for name, parameter in model.named_parameters().items() if parameter.requires_grad]
    ['2.weight', '2.bias']
    """
    for parameter in _parameters("freeze", modules):
        parameter.requires_grad = not frozen


def scale_lr(*modules: Module, factor: float) -> None:
    """Train these modules at `factor` times the optimizer's learning rate: 0.1 for layers that are only tuned.

    A column of the optimizer's segment table, so that one pass still updates the whole model. It replaces an earlier
    factor. Raises ValueError for a factor that is negative or not finite, and where there is no parameter.
    """
    factor = non_negative("scale_lr: factor", factor)
    for parameter in _parameters("scale_lr", modules):
        parameter.lr_scale = factor


def replace_last(model: Sequential, *layers: Module, count: int = 1) -> Sequential:
    """Put these layers in the place of the last `count` ones of the model; returns the model.

    The other layers keep their values; new ones are drawn by the model's seed and their place. An optimizer of the old
    layers does not know the new ones: make another. A preprocessing that the model has is kept for its features, but
    its classes are those of the old layers: see `Preprocessing.for_targets`.
    Raises ValueError unless 1 <= count <= the number of layers, and TypeError for what is no layer.

    >>> from twingrad import nn
    >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> replace_last(model, nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 7)).summary().splitlines()[-2]
    '4      Linear(3, 7)          28'
    """
    if not isinstance(model, Sequential):
        raise TypeError(f"replace_last takes a Sequential, got a {type(model).__name__}; assign its attributes instead")
    if not 1 <= integer("replace_last: count", count) <= len(model):
        raise ValueError(f"replace_last: count must be from 1 to the {len(model)} layers of the model; got {count}")
    for i, layer in enumerate(layers):
        if not isinstance(layer, Module):
            raise TypeError(f"replace_last: layer {i} is a {type(layer).__name__}, not a Module")
    kept = len(model) - count
    for place in range(kept, len(model)):
        delattr(model, str(place))
    for place, layer in enumerate(layers, kept):
        setattr(model, str(place), layer)
    return model


def _parameters(who: str, modules: tuple[Module, ...]) -> list[Parameter]:
    for module in modules:
        if not isinstance(module, Module):
            raise TypeError(f"{who} takes modules, such as model[0]; got a {type(module).__name__}")
    found = [parameter for module in modules for parameter in module.parameters()]
    if not found:
        raise ValueError(f"{who}: {', '.join(map(repr, modules)) or 'nothing given'} has no parameters")
    return found
