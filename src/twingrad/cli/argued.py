"""Messages of functions, which spell arguments as Python does, in the words of the command line."""

from __future__ import annotations

import ast
import re
import shlex
from typing import Any

from twingrad.cli.options import TRAIN_OPTIONS, TUNE_OPTIONS
from twingrad.cli.values import listed, names

FLAGS = {option.name: option.flag for option in (*TRAIN_OPTIONS, *TUNE_OPTIONS)}
SWITCHES = [option.name for option in TRAIN_OPTIONS if option.parse is None]
NAMES = "|".join(FLAGS)
LISTS = [option.name for option in TRAIN_OPTIONS if option.parse is names]
CALLER = re.compile(r"^(fit|load|evaluate|feature_batches|search): ")
SUBJECT = re.compile(rf"^({NAMES}) (?=must |does not apply )")
ARGUMENT = re.compile(rf"""(?<![\w'"-])({NAMES})=('[^']*'|"[^"]*"|\[[^\]]*\]|[^\s;,:()]+)""")


def in_options(message: str) -> str:
    r"""The message with options in place of arguments.

    >>> in_options("fit: batch_size must be at least 1"), in_options("separated by ';': delimiter=';'")
    ('--batch-size must be at least 1', "separated by ';': --delimiter ';'")
    >>> in_options(r"delimiter='\t'"), in_options("text: categories=['zip', 'a, b']")
    ('--delimiter tab', 'text: --categories \'zip,"a, b"\'')
    """
    message = SUBJECT.sub(lambda found: f"{FLAGS[found[1]]} ", CALLER.sub("", message))
    return ARGUMENT.sub(lambda found: _option(found[1], found[2]), message)


def _option(name: str, text: str) -> str:
    """An argument as an option: stratify=False is --no-stratify."""
    if name in SWITCHES and text in ("True", "False"):
        return FLAGS[name] if text == "True" else FLAGS[name].replace("--", "--no-", 1)
    return f"{FLAGS[name]} {_typed(name, text)}"


def _typed(name: str, text: str) -> str:
    """A Python value as one would type it."""
    try:
        value: Any = ast.literal_eval(text)
    except (SyntaxError, ValueError):
        value = text
    if name in LISTS:
        return shlex.quote(listed(value if isinstance(value, list) else [value]))
    return "tab" if value == "\t" else shlex.quote(str(value))
