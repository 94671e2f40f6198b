"""The parser of `twingrad`, made from the tables of options."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any, NoReturn

from twingrad.cli import options
from twingrad.cli.table import SYNONYMS, Option

EPILOG = (
    "exit codes: 0 done; 2 bad input, nothing written; 3 the run could not be written (a full disk), what was saved "
    "before stays; 4 training diverged, the best model before that is kept; 130 Ctrl-C or 143 SIGTERM, the run is "
    "saved: --resume goes on; 1 a defect"
)
EPILOGS = {
    "info": None,
    "cache": None,
    "tune": (
        "exit codes: 0 done; 2 bad input, nothing written; 3 the search could not be written; 4 every trial diverged; "
        "130 Ctrl-C or 143 SIGTERM: --resume goes on; 1 a defect"
    ),
    "gradcheck": (
        "exit codes: 0 every gradient is great; 5 one is wrong; 6 look again at one; 2 bad input; 4 training diverged "
        "in the --epochs before the check; 130 Ctrl-C; 1 a defect"
    ),
    "evaluate": "exit codes: 0 done; 2 bad input; 130 Ctrl-C; 1 a defect",
    "predict": "exit codes: 0 done; 2 bad input, nothing written; 3 a full disk; 130 Ctrl-C; 1 a defect",
    "bench": "exit codes: 0 done; 1 a case failed, or a defect; 2 bad input or 130 Ctrl-C, nothing written",
}


class Options(argparse.Namespace):
    """The parsed command line: those options that were given, and `command`."""

    command: str = ""
    json: bool = False
    run: str = ""
    known: dict[str, Any] | None = None
    """What --json tells of a command that is interrupted: a command keeps it up to date."""

    def given(self) -> dict[str, Any]:
        """The options that were given, by name."""
        return {name: value for name, value in vars(self).items() if name not in ("command", "run", "known")}


class UsageError(Exception):
    """A command line that cannot be understood; the message names the command."""


class Parser(argparse.ArgumentParser):
    """argparse, with one line for an error and the nearest option for an unknown one."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and leaving."""
        hint = self._suggestion(message)
        command = re.fullmatch(r"argument .*: invalid choice: (.*) \(choose from (.*)\)", message)
        if command:
            message = f"unknown command {command[1]}"
            near = get_close_matches(command[1].strip("'"), re.findall(r"[\w-]+", command[2]), n=1)
            hint = f"; did you mean {near[0]}?" if near else hint
        raise UsageError(f"{self.prog}: error: {message.removeprefix('argument ')}{hint}")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does; but a command refuses the options that it does not know, instead of handing them up."""
        first = next(iter(sys.argv[1:] if args is None else args), "").partition("=")[0]
        if self._subparsers is not None and first.startswith("-") and first not in self._option_string_actions:
            self.error(f"{first} stands before the command; its place is after it, as in {self.prog} COMMAND {first}")
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def _suggestion(self, message: str) -> str:
        unknown = message.partition("unrecognized arguments: ")[2].split()
        known = [option for action in self._actions for option in action.option_strings]
        asked = unknown[0].partition("=")[0] if unknown and unknown[0].startswith("-") else ""
        names = {option.lstrip("-"): option for option in known}  # dashes would make all of them alike
        near = get_close_matches(asked.lstrip("-"), names, n=1)
        found = SYNONYMS[asked] if SYNONYMS.get(asked) in known else names[near[0]] if near else None
        return f"; did you mean {found}?" if found else f"; see {self.prog} --help"


def parser() -> Parser:
    """The parser of `twingrad`."""
    from twingrad import __version__

    top = Parser(
        "twingrad", description="Train neural networks on a CPU or an NVIDIA GPU.", epilog=EPILOG, allow_abbrev=False
    )
    top.add_argument("--version", action="version", version=f"twingrad {__version__}")
    commands = top.add_subparsers(
        title="commands", dest="command", metavar="{train,tune,evaluate,predict,gradcheck,bench,info,cache}"
    )
    train = _command(commands, "train", "train a network", TRAIN)
    for name, group in options.TRAIN.items():
        _add(train.add_argument_group(name), group)
    tune = _command(commands, "tune", "search for good hyperparameters", TUNE)
    for name, group in options.TUNE.items():
        _add(tune.add_argument_group(name), group)
    evaluate = _command(commands, "evaluate", "measure a trained model", EVALUATE)
    evaluate.add_argument("run", metavar="RUN", help="a run folder or a model file")
    _add(evaluate, options.EVALUATE_OPTIONS)
    predict = _command(commands, "predict", "apply a trained model", PREDICT)
    predict.add_argument("run", metavar="RUN", help="a run folder or a model file")
    _add(predict, options.PREDICT_OPTIONS)
    gradcheck = _command(commands, "gradcheck", "check gradients by differences", GRADCHECK)
    gradcheck.add_argument("run", metavar="RUN", nargs="?", default=argparse.SUPPRESS, help=GRADCHECK_RUN)
    for name, group in options.GRADCHECK.items():
        _add(gradcheck.add_argument_group(name), group)
    bench = _command(commands, "bench", "measure what fusing buys here", BENCH)
    _add(bench, options.BENCH_OPTIONS)
    info = _command(commands, "info", "what runs here", INFO)
    info.add_argument("--json", action="store_true", help="as one JSON object", default=argparse.SUPPRESS)
    cache = _command(commands, "cache", "compiled GPU kernels on disk", CACHE)
    cache.add_argument(
        "action", metavar="clear", choices=["clear"], help="remove them; they are compiled again when needed"
    )
    cache.add_argument("--json", action="store_true", help="as one JSON object", default=argparse.SUPPRESS)
    return top


TRAIN = (
    "Train a dense network for classes, labels or a regression, keep the parameters of the best evaluation, and write "
    "a run folder. With no option: on the 1,797 handwritten digits that ship with twingrad."
)
TUNE = (
    "Train many networks with different hyperparameters, and write the best as a file for `twingrad train --config`. "
    "With no option: learning rate, batch size, hidden units and layers for the digits, by random search. An option "
    "of `train` that is given stays as it is. Needs Optuna: pip install 'twingrad[tune]'."
)
EVALUATE = "Loss and metrics of a trained model: on the parts of its own data, or on other data with targets."
PREDICT = "What a trained model says of examples: CSV or JSON lines, read and written a batch at a time."
GRADCHECK = (
    "Check the gradients of a network on a mini-batch beside two-sided differences of its cost, in float64, with "
    "dropout and batch normalisation as in training: for each parameter the relative distance and a verdict."
)
GRADCHECK_RUN = "a run folder or a model file; without one a network as `train` would make it, on --data"
BENCH = (
    "Measure fused kernels, optimizers and training steps beside the reference path, plain NumPy, and PyTorch where it "
    "is installed: each contender in a process of its own, in turns, and checked against the others before it is timed."
)
CACHE = (
    "Kernels for NVIDIA GPUs are compiled when first used and kept in TWINGRAD_CACHE_DIR, else in twingrad in "
    "XDG_CACHE_HOME or ~/.cache. Newer sources, compilers or options never use an older file."
)
INFO = "Show versions, devices, kernels, BLAS and threads, and why something faster is not used."


def _command(commands: Any, name: str, short: str, text: str) -> Parser:
    found: Parser = commands.add_parser(
        name, help=short, description=text, epilog=EPILOGS.get(name, EPILOG), allow_abbrev=False
    )
    return found


def _add(group: Any, table: Iterable[Option]) -> None:
    for option in table:
        about: dict[str, Any] = {"help": option.description.replace("%", "%%"), "default": argparse.SUPPRESS}
        if option.parse is None:
            on_and_off = option.default is not False or option.told  # a switch that a TOML file may turn on
            action: Any = argparse.BooleanOptionalAction if on_and_off else "store_true"
            group.add_argument(option.flag, action=action, **about)
        else:
            group.add_argument(option.flag, type=_typed(option.parse), metavar=option.metavar, **about)


def _typed(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    def typed(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return typed
