"""A model as a function of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twingrad.autodiff import Tensor
from twingrad.nn.module import Module


def functional_call(model: Module, parameters: Mapping[str, Any], *args: Any) -> Any:
    """`model(*args)` with these arrays or Tensors in place of its parameters, which stay as they are.

    parameters: by path, as `named_parameters` gives them; each of its parameter's shape, those not named are the
    model's own. What is done to tied weights under one path is done under all. In training mode running averages and
    counters go on, as in any call. So `grad`, `hvp` and the like reach a model; for second derivatives compute
    `with tg.fused("never"):`. Raises ValueError for an unknown path or another shape.

    >>> import numpy as np
    >>> import twingrad as tg
    >>> from twingrad import nn
    >>> model = nn.Linear(2, 1, bias=False)
    >>> cost = lambda w: tg.xp.sum(functional_call(model, {"weight": w}, np.ones((1, 2))) ** 2)
    >>> tg.grad(cost)(np.asarray([[1.0, 2.0]]))
    array([[6., 6.]])
    """
    own = model.named_parameters()
    for path, value in parameters.items():
        if path not in own:
            raise ValueError(f"functional_call: the model has no parameter {path!r}; it has {', '.join(own)}")
        shape = getattr(value, "shape", type(value).__name__)
        if shape != own[path].shape:
            raise ValueError(f"functional_call: {path} is an array of shape {own[path].shape}, got {shape}")
    given = {own[path]: value if isinstance(value, Tensor) else Tensor(value) for path, value in parameters.items()}
    kept = [(module, dict(module._parameters)) for _, module in model.modules()]
    model.enter()
    try:
        for module, held in kept:
            module._parameters.update({name: given.get(p, p) for name, p in held.items()})
        return model(*args)
    finally:
        for module, held in kept:
            module._parameters.update(held)
