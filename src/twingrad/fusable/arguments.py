"""The arguments of an operation, as its reference names them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any


def by_position(defaults: Mapping[str, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """`args` with what follows them and was given by name, which leaves `kwargs`; defaults in between."""
    following = list(defaults.items())[len(args) :]
    while following and following[-1][0] not in kwargs:
        following.pop()
    for name, default in following:
        if name not in kwargs and default is inspect.Parameter.empty:
            break
        args += (kwargs.pop(name, default),)
    return args


def bind(name: str, reference: Callable[..., Any], arrays: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Raise TypeError naming the operation where the reference has no such parameters, or misses one."""
    try:
        inspect.signature(reference).bind(*arrays, **kwargs)
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None
