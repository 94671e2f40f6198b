"""Layers in lists: what a module cannot see in an attribute, and so would not train."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from twingrad.autodiff import Tensor


def refuse_hidden(owner: str, name: str, value: Any, kinds: tuple[type, ...], known: set[int]) -> None:
    """Raise TypeError where a list, tuple or dict holds one of `kinds` whose id is not among `known`."""
    for item in _items(value):
        if isinstance(item, kinds) and id(item) not in known:
            raise TypeError(
                f"{owner}.{name} is a {type(value).__name__} that holds a {type(item).__name__}, which would neither "
                "train nor be saved; assign each to an attribute of its own, or put layers into an nn.Sequential"
            )


def _items(value: Any) -> Iterator[Any]:
    """What is in a list, tuple, set or dict, and in those inside it."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple | set | frozenset):
        return
    for item in value:
        yield item
        if not isinstance(item, Tensor):
            yield from _items(item)
