"""How the text of an option becomes its value, checked. Numbers and lists of a TOML file come as the same text."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Callable, Iterable
from typing import Any

from twingrad.choice import choose


def number(text: str, kind: Callable[[str], Any], rule: str, holds: Callable[[Any], bool]) -> Any:
    """`kind(text)`; a ValueError that gives the rule where that fails or does not hold."""
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not holds(value):
        raise ValueError(f"must be {rule}; got {text!r}")
    return value


def count(low: int, end: int = 2**32) -> Callable[[str], int]:
    """A whole number from `low`."""

    def counted(text: str) -> int:
        rule = f"a whole number from {low}"
        number(text, int, rule, lambda value: value >= low)
        limit = f"below 2**{end.bit_length() - 1}" if end & (end - 1) == 0 else f"at most {end - 1}"
        return int(number(text, int, f"{rule} and {limit}", lambda value: value < end))

    return counted


def positive(text: str) -> float:
    """A finite number above 0."""
    return float(number(text, float, "a finite number above 0", lambda value: 0 < value < math.inf))


def not_negative(text: str) -> float:
    """A finite number of at least 0."""
    return float(number(text, float, "a finite number of at least 0", lambda value: 0 <= value < math.inf))


def below_one(text: str) -> float:
    """A number in [0, 1)."""
    return float(number(text, float, "a number from 0 and below 1", lambda value: 0 <= value < 1))


def widths(text: str) -> list[int]:
    """Widths of layers, or "none"."""
    if text in ("none", "[]"):
        return []
    rule = 'widths of at least 1, joined by commas, as in 128,64, or "none"'
    return [int(number(part, int, rule, lambda value: value >= 1)) for part in text.split(",")]


def numbers(text: str) -> list[float]:
    """Numbers of at least 0, joined by commas."""
    rule = "numbers of at least 0, joined by commas"
    return [float(number(part, float, rule, lambda value: 0 <= value < math.inf)) for part in text.split(",")]


def shares(text: str) -> list[float]:
    """Three shares that sum to 1, or two beside a test part of the data's own."""
    found = numbers(text)
    if len(found) not in (2, 3) or abs(math.fsum(found) - 1) > 1e-9:
        raise ValueError(f"must be the shares of train, dev and test, which sum to 1, as in 0.6,0.2,0.2; got {text!r}")
    return found


def names(text: str) -> list[str]:
    """Names, joined by commas; one that holds a comma stands in double quotes, as in a CSV file.

    >>> names('price, "width, cm"')
    ['price', 'width, cm']
    """
    try:
        rows = list(csv.reader([text], skipinitialspace=True, strict=True))
    except csv.Error:
        rows = []
    found = [name.strip() for row in rows for name in row]
    if not found or not all(found):
        raise ValueError(f"must be names, joined by commas; quote one that holds a comma: 'a,\"b, c\"'; got {text!r}")
    return found


def listed(items: Iterable[Any]) -> str:
    """These names as `names` reads them.

    >>> listed(["price", "width, cm"])
    'price,"width, cm"'
    """
    file = io.StringIO()
    csv.writer(file, lineterminator="").writerow(items)
    return file.getvalue()


def text(given: str) -> str:
    """Any text but none."""
    if not given:
        raise ValueError("must not be empty")
    if not given.isascii() and given.encode(errors="ignore").decode() != given:
        raise ValueError(f"must be UTF-8, as the configuration of a run is; got {given!r}")
    return given


def path(given: str) -> str:
    """The path of a file or folder; a leading ~ is the home folder."""
    return os.path.expanduser(text(given))


def files(given: str) -> str:
    """A name, a path or two joined by a comma; a leading ~ of each is the home folder."""
    return ",".join(map(os.path.expanduser, text(given).split(",")))


def character(given: str) -> str:
    """One character; "tab" for a tab."""
    found = "\t" if given == "tab" else given
    if len(found) != 1:
        raise ValueError(f'must be one character, or "tab"; got {given!r}')
    return found


def one_of(kind: str, known: Iterable[str]) -> Callable[[str], str]:
    """One of these names."""
    names = tuple(known)
    return lambda given: choose(kind, given, names)


def interval(given: str) -> str:
    """A number of steps, or a time."""
    from twingrad.train.interval import Interval

    Interval(given)
    return given


def class_weight(given: str) -> str | list[float]:
    """ "balanced", or a weight for each class."""
    return given if given == "balanced" else numbers(given)
