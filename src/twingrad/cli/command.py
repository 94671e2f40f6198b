"""The command `twingrad`: its exit codes, and one line on standard error for every failure."""

from __future__ import annotations

import errno
import importlib
import json
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import TextIO

from twingrad.cli.argued import in_options
from twingrad.cli.parser import Options, UsageError, parser
from twingrad.devices import DeviceWarning

OK, FAILED, BAD_INPUT, NOT_SAVED, DIVERGED, SIGNAL = 0, 1, 2, 3, 4, 128
TRACEBACK = "TWINGRAD_TRACEBACK"


def execute(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0: done. 2: bad input, nothing was written. 3: the run could not be written, as on a full disk; what was saved
    before stays. 4: training diverged; the best model before that is kept, if there is one. 5, 6: `gradcheck`
    found a gradient wrong, or one that wants another look. 130: Ctrl-C, and 143: SIGTERM; the run is saved and
    `--resume` goes on with it. 1: a defect of twingrad's; with TWINGRAD_TRACEBACK=1 in the environment any failure
    shows where it happened.
    """
    command, options = "twingrad", Options()
    try:
        top = parser()
        options = top.parse_args(argv, namespace=options)
        if not options.command:
            top.print_help()
            return OK
        command = f"twingrad {options.command}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for told in (UserWarning, DeviceWarning):
                warnings.simplefilter("default", told)
            warnings.showwarning = _show_warning
            code = importlib.import_module(f"{__package__}.{options.command}").run(options)
        sys.stdout.flush()
        return code or OK
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except KeyboardInterrupt as stopped:
        _tell_known(options, "interrupted")
        return _fail(f"{command}: {str(stopped) or 'interrupted'}", SIGNAL + getattr(stopped, "number", signal.SIGINT))
    except UsageError as error:
        return _fail(str(error), BAD_INPUT)
    except OSError as error:
        full = _is(error, "SaveError") or error.errno == errno.ENOSPC  # of standard output too
        return _fail(f"{command}: error: {_told(error)}", NOT_SAVED if full else BAD_INPUT)
    except ValueError as error:
        return _fail(f"{command}: error: {in_options(str(error))}", BAD_INPUT)
    except MemoryError as error:
        return _fail(f"{command}: error: memory does not hold what was asked for: {error}", BAD_INPUT)
    except Exception as error:
        if _is(error, "Diverged"):
            _tell_known(options, "diverged")
            return _fail(f"{command}: {in_options(str(error))}", DIVERGED)
        text = f"{type(error).__name__}: {error} (this is a defect; {TRACEBACK}=1 shows where)"
        return _fail(f"{command}: error: {text}", FAILED)


def _is(error: Exception, name: str) -> bool:
    """By name: what `twingrad.train` defines is not imported for that."""
    return type(error).__name__ == name


def _told(error: OSError) -> str:
    """What the system says of a file, without the number of the error."""
    if error.filename is None:
        return error.strerror or str(error)
    return f"{error.filename}: {error.strerror}"


def _tell_known(options: Options, how: str) -> None:
    """With --json: what is known, as one object; but not among the rows that `predict` writes."""
    if options.json and (options.command != "predict" or "out" in options.given()):
        print(json.dumps({how: True} | (options.known or {})), flush=True)


def _fail(text: str, code: int) -> int:
    if os.environ.get(TRACEBACK) == "1":
        traceback.print_exc()
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
    print(f"twingrad: note: {in_options(str(message))}", file=sys.stderr)
