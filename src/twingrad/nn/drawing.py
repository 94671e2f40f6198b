"""What a model's parameters are before their first use: values drawn by path, of one dtype, on one device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from twingrad import backends, devices
from twingrad.namespace import Array, backend_of
from twingrad.nn.parameter import Parameter
from twingrad.random import stream_of

if TYPE_CHECKING:
    from twingrad.nn.module import Module


def drawn(root: Module) -> list[Parameter]:
    """The parameters, with the values that belong to this outermost module's seed and their paths."""
    for _, module in root.modules():
        module._refuse_hidden(vars(module))
    _name_streams(root)
    unique = root._unique()
    for parameter, path in unique.items():
        parameter.draw_for(root.seed, stream_of(path))
    return list(unique)


def _name_streams(root: Module) -> None:
    """Tell each module its path, and make sure that no two random streams are the same."""
    streams: dict[int, str] = {}
    for path, module in root.modules():
        object.__setattr__(module, "path", path)
        for name in (*module._parameters, *module.random_names):
            full = f"{path}.{name}" if path else name
            other = streams.setdefault(stream_of(full), full)
            if other != full:
                raise ValueError(f"{other!r} and {full!r} would draw the same random numbers; rename one of them")


def like_on(root: Module, device: str | None, dtype: Any) -> Array:
    """An array on `device` with `dtype`, each the model's own where it is None."""
    parameters = drawn(root)
    if dtype is None:
        check_dtypes(parameters)
    here = parameters[0].data if parameters else np.zeros((), np.float32)
    if backend_of(here) is None and device is None:
        raise TypeError("this model's arrays are of another library; give `like`, an array of the wanted kind")
    target = devices.resolve(device) if device is not None else devices.device_of(here)
    return backends.get(target).zeros_aligned(0, here.dtype if dtype is None else dtype)


def check_dtypes(parameters: list[Parameter]) -> None:
    """Raise TypeError unless all parameters have one dtype."""
    dtypes = sorted({str(p.dtype) for p in parameters})
    if len(dtypes) > 1:
        raise TypeError(
            f"the parameters of a model share one dtype, got {' and '.join(dtypes)}; "
            "give the layers one dtype, or call model.to(dtype=...)"
        )
