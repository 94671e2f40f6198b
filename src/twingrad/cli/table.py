"""Every option once: its name, its check, its help. The command line, TOML files and run folders are made from this."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from twingrad.cli.values import listed

SYNONYMS = {
    "--learning-rate": "--lr",
    "--layers": "--hidden",
    "--hidden-sizes": "--hidden",
    "--batch": "--batch-size",
    "--output": "--out",
    "--dataset": "--data",
    "--gpu": "--device",
    "--l2": "--weight-decay",
    "--patience": "--early-stopping",
    "--labels": "--target",
}
"""Options by the names that other programs give them."""


@dataclass(frozen=True)
class Option:
    """An option of a command.

    name: as in a TOML file; on the command line it is --name with "-" for "_".
    parse: makes the value of its text, or raises a ValueError with the rule. None: a switch.
    default: told in the help; None where it depends on others, and `told` says how.
    kept: whether a run's configuration holds it.
    """

    name: str
    parse: Callable[[str], Any] | None
    help: str
    default: Any = None
    metavar: str = ""
    told: str = ""
    kept: bool = True

    @property
    def flag(self) -> str:
        """As on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def description(self) -> str:
        """The help with the default."""
        if self.told or (self.default is None or self.default is False):
            return f"{self.help} (default: {self.told})" if self.told else self.help
        shown = ",".join(map(str, self.default)) if isinstance(self.default, list) else self.default
        return f"{self.help} (default: {'on' if shown is True else shown})"

    def of_toml(self, value: Any) -> Any:
        """The value of a TOML file, checked as the command line's text is."""
        if self.parse is None or isinstance(value, bool):
            if self.parse is not None or not isinstance(value, bool):
                rule = "must be true or false" if self.parse is None else "cannot be true or false"
                raise ValueError(f"{rule}; got {value!r}")
            return value
        items = value if isinstance(value, list) else [value]
        if not all(isinstance(item, str | int | float) and not isinstance(item, bool) for item in items):
            raise ValueError(f"must be a number, a text or a list of them; got {value!r}")
        if not isinstance(value, list):
            return self.parse(str(value))
        return self.parse(listed(value) if value else "none")


def read_toml(path: Path, options: Iterable[Option], command: str) -> dict[str, Any]:
    """The values of the table [command] of a TOML file.

    Raises:
        OSError: there is no such file.
        ValueError: it is no TOML; an unknown name (suggests the nearest); a bad value, by name and rule.
    """
    if not path.is_file():
        from twingrad.data.files import missing  # not at import: the help is quick

        raise missing("file of options", path)
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a TOML file: {error}") from error
    table = found.pop(command, {})
    if found or not isinstance(table, dict):
        raise ValueError(f"{path}: one table [{command}] is due; got {', '.join(found) or command}")
    every = {option.name: option for option in options}
    known = {name: option for name, option in every.items() if option.kept}
    values = {}
    for name, value in table.items():
        if name not in known:
            hint = "it belongs to the command line" if name in every else _suggestion(name, known)
            raise ValueError(f"{path}: unknown option {name}; {hint}")
        try:
            values[name] = known[name].of_toml(value)
        except ValueError as error:
            raise ValueError(f"{path}: {name}: {error}") from None
    return values


def _suggestion(name: str, known: Iterable[str]) -> str:
    flag = SYNONYMS.get("--" + name.replace("_", "-"), "")
    near = [option for option in known if option == flag.removeprefix("--").replace("-", "_")]
    near = near or get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"


def to_toml(values: Mapping[str, Any], options: Iterable[Option], command: str) -> str:
    """The options that a run's configuration holds as TOML; its strings, booleans, numbers and lists are JSON's."""
    kept = [option.name for option in options if option.kept and values.get(option.name) is not None]
    lines = [f"{name} = {json.dumps(values[name], ensure_ascii=False)}\n" for name in kept]
    return f"[{command}]\n" + "".join(lines).replace("\x7f", "\\u007f")
