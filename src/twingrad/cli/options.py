"""What can be said on the command line. Nothing here computes or imports anything large: `--help` is quick."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, NoReturn

from twingrad.choice import choose

OPTIMIZERS = ("sgd", "adam", "adamw")
DEFAULT_LR = {"sgd": 0.1, "adam": 3e-3, "adamw": 3e-3}
EPILOG = "exit codes: 0 done; 2 bad input, nothing written; 130 Ctrl-C, the best model so far is kept; 1 a defect"


class Options(argparse.Namespace):
    """The parsed command line."""

    command: str
    hidden: tuple[int, ...]
    dropout: float
    batch_norm: bool
    optimizer: str
    lr: float | None
    batch_size: int
    epochs: int
    seed: int
    device: str
    out: str | None
    json: bool
    quiet: bool


class UsageError(Exception):
    """A command line that cannot be understood; the message names the command."""


class Parser(argparse.ArgumentParser):
    """argparse, with one line for an error and the nearest option for an unknown one."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and leaving."""
        raise UsageError(f"{self.prog}: error: {message.removeprefix('argument ')}{self._suggestion(message)}")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does; but a command refuses the options that it does not know, instead of handing them up."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def _suggestion(self, message: str) -> str:
        unknown = message.partition("unrecognized arguments: ")[2].split()
        known = [option for action in self._actions for option in action.option_strings]
        near = get_close_matches(unknown[0].partition("=")[0], known, n=1) if unknown else []
        return f"; did you mean {near[0]}?" if near else f"; see {self.prog} --help"


class Formatter(argparse.ArgumentDefaultsHelpFormatter):
    """Adds the default to each option's help that does not tell it already, switches apart."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        told = "default" in (action.help or "") or action.default is False
        return action.help if told else super()._get_help_string(action)


def parser() -> Parser:
    """The parser of `twingrad`."""
    from twingrad import __version__

    top = Parser(
        "twingrad", description="Train neural networks on a CPU or an NVIDIA GPU.", epilog=EPILOG, allow_abbrev=False
    )
    top.add_argument("--version", action="version", version=f"twingrad {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="{train,info}")
    _train(commands)
    _info(commands)
    return top


def _info(commands: Any) -> None:
    text = "Show versions, devices, kernels, BLAS and threads, and why something faster is not used."
    info = commands.add_parser("info", help="what runs here", description=text, allow_abbrev=False)
    info.add_argument("--json", action="store_true", help="as one JSON object")


def _train(commands: Any) -> None:
    text = (
        "Train a dense network on the 1,797 handwritten digits that ship with twingrad, "
        "keep the parameters of the best epoch, and write a run folder."
    )
    train = commands.add_parser(
        "train",
        help="train a network",
        description=text,
        epilog=EPILOG,
        allow_abbrev=False,
        formatter_class=Formatter,
    )
    _network(train.add_argument_group("network"))
    _training(train.add_argument_group("training"))
    output = train.add_argument_group("output")
    output.add_argument(
        "--out",
        metavar="FOLDER",
        help="new or empty run folder (default: the next runs/digits-N)",
        default=argparse.SUPPRESS,
    )
    output.add_argument(
        "--json", action="store_true", help="end standard output with one JSON object; the table goes to standard error"
    )
    output.add_argument("--quiet", action="store_true", help="no progress bar, no table")
    train.set_defaults(out=None, lr=None)


def _network(group: Any) -> None:
    group.add_argument(
        "--hidden", type=_widths, default="256,128", metavar="W,...", help='widths of the hidden layers, or "none"'
    )
    group.add_argument(
        "--dropout", type=_dropout, default=0.4, metavar="P", help="probability to drop a hidden unit, in [0, 1)"
    )
    group.add_argument(
        "--batch-norm",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="batch normalisation after each hidden Linear",
    )


def _training(group: Any) -> None:
    rates = ", ".join(f"{name} {rate:g}" for name, rate in DEFAULT_LR.items())
    group.add_argument("--optimizer", type=_optimizer, default="adam", metavar="NAME", help="sgd, adam or adamw")
    group.add_argument(
        "--lr", type=_rate, metavar="RATE", help=f"learning rate (default: {rates})", default=argparse.SUPPRESS
    )
    group.add_argument("--batch-size", type=_count(1), default=64, metavar="N", help="examples in a mini-batch")
    group.add_argument("--epochs", type=_count(0), default=40, metavar="N", help="passes over the training data")
    group.add_argument(
        "--seed", type=_count(0, 2**64), default=0, metavar="N", help="of initial weights, dropout, split and shuffles"
    )
    group.add_argument(
        "--device", default="auto", metavar="NAME", help="cpu, cuda, cuda:1, or auto: a GPU that works, else the CPU"
    )


def _number(text: str, kind: Callable[[str], Any], rule: str, holds: Callable[[Any], bool]) -> Any:
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not holds(value):
        raise argparse.ArgumentTypeError(f"must be {rule}; got {text!r}")
    return value


def _count(low: int, end: int = 2**32) -> Callable[[str], int]:
    def count(text: str) -> int:
        rule = f"a whole number from {low}"
        _number(text, int, rule, lambda value: value >= low)
        return int(_number(text, int, f"{rule} and below 2**{end.bit_length() - 1}", lambda value: value < end))

    return count


def _rate(text: str) -> float:
    return float(_number(text, float, "a finite number above 0", lambda value: 0 < value < math.inf))


def _dropout(text: str) -> float:
    return float(_number(text, float, "a number from 0 and below 1", lambda value: 0 <= value < 1))


def _widths(text: str) -> tuple[int, ...]:
    if text == "none":
        return ()
    rule = 'widths of at least 1, joined by commas, as in 128,64, or "none"'
    return tuple(int(_number(part, int, rule, lambda value: value >= 1)) for part in text.split(","))


def _optimizer(text: str) -> str:
    try:
        return choose("optimizer", text, OPTIMIZERS)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
