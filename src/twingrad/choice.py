"""One message for every name that is not in its table."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def choose(kind: str, name: object, known: Iterable[str]) -> str:
    """`name`, where it is one of `known`; else a ValueError that suggests the nearest and lists them all.

    >>> choose("optimizer", "adma", ["sgd", "adam"])
    Traceback (most recent call last):
        ...
    ValueError: unknown optimizer 'adma'; did you mean 'adam'? Known: adam, sgd
    """
    names = sorted(known)
    if isinstance(name, str) and name in names:
        return name
    near = get_close_matches(str(name).lower(), names, n=1)
    hint = f"did you mean {near[0]!r}? Known" if near else "known"
    raise ValueError(f"unknown {kind} {name!r}; {hint}: {', '.join(names)}")
