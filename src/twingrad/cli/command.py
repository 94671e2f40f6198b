"""The command `twingrad`: its exit codes, and one line on standard error for every failure."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import sys
import warnings
from collections.abc import Sequence
from typing import TextIO

from twingrad.cli.options import TRAIN_OPTIONS
from twingrad.cli.parser import Options, UsageError, parser
from twingrad.devices import DeviceWarning

OK, FAILED, BAD_INPUT, NOT_SAVED, SIGNAL = 0, 1, 2, 3, 128
TRACEBACK = "TWINGRAD_TRACEBACK"


def execute(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0: done. 2: bad input, nothing was written. 3: the run could not be written, as on a full disk; what was saved
    before stays. 130: Ctrl-C, and 143: SIGTERM; the run is saved and `--resume` goes on with it. 1: a defect of
    twingrad's; with TWINGRAD_TRACEBACK=1 in the environment any failure shows where it happened.
    """
    command, options = "twingrad", Options()
    try:
        options = parser().parse_args(argv, namespace=options)
        command = f"twingrad {options.command}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for told in (UserWarning, DeviceWarning):
                warnings.simplefilter("default", told)
            warnings.showwarning = _show_warning
            importlib.import_module(f"{__package__}.{options.command}").run(options)
        sys.stdout.flush()
        return OK
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except KeyboardInterrupt as stopped:
        _tell_interrupted(options)
        return _fail(f"{command}: {str(stopped) or 'interrupted'}", SIGNAL + getattr(stopped, "number", signal.SIGINT))
    except UsageError as error:
        return _fail(str(error), BAD_INPUT)
    except OSError as error:
        return _fail(f"{command}: error: {error}", NOT_SAVED if type(error).__name__ == "SaveError" else BAD_INPUT)
    except ValueError as error:
        return _fail(f"{command}: error: {_with_flag(str(error))}", BAD_INPUT)
    except MemoryError as error:
        return _fail(f"{command}: error: memory does not hold what was asked for: {error}", BAD_INPUT)
    except Exception as error:
        text = f"{type(error).__name__}: {error} (this is a defect; {TRACEBACK}=1 shows where)"
        return _fail(f"{command}: error: {text}", FAILED)


def _tell_interrupted(options: Options) -> None:
    """With --json: what is known, as one object; but not among the rows that `predict` writes."""
    if options.json and (options.command != "predict" or "out" in options.given()):
        print(json.dumps({"interrupted": True} | (options.known or {})), flush=True)


def _with_flag(message: str) -> str:
    """The message with the option's name in place of that of a function's argument."""
    flags = {option.name: option.flag for option in TRAIN_OPTIONS}
    found = re.match(r"\w+: (\w+) (?=must )", message)
    return f"{flags[found[1]]} {message[found.end() :]}" if found and found[1] in flags else message


def _fail(text: str, code: int) -> int:
    if os.environ.get(TRACEBACK) == "1":
        raise
    print(" ".join(text.split()), file=sys.stderr)
    return code


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    print(f"twingrad: note: {message}", file=sys.stderr)
