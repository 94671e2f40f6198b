"""`twingrad predict`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from twingrad.cli.answers import Answers
from twingrad.cli.model import loaded
from twingrad.cli.parser import Options, UsageError
from twingrad.data import feature_batches
from twingrad.data.load import kind_of
from twingrad.train.atomic import unsaved
from twingrad.train.predict import outputs_of_batches

ENDINGS = (".csv", ".jsonl")


def run(options: Options) -> None:
    """Read, predict and write a batch at a time."""
    given = options.given()
    out = Path(given["out"]) if "out" in given else None
    if "data" not in given:
        raise UsageError("twingrad predict: error: --data is needed: the examples to be predicted")
    if out is not None and (out.suffix not in ENDINGS or out.is_dir()):
        told = f"must end in {' or '.join(ENDINGS)}" if out.suffix not in ENDINGS else "is a folder; name a file"
        raise UsageError(f"twingrad predict: error: --out: {told}; got {str(out)!r}")
    model = loaded(options)
    if model.preprocessing is None:
        raise ValueError(
            f"{options.run} holds no preprocessing: call twingrad.train.predict on the network's own inputs"
        )
    answers = Answers(model, given.get("probabilities", False), given.get("top_k", 0))
    names = {name: given[name] for name in ("features", "delimiter") if name in given}
    batches = feature_batches(given["data"], model.preprocessing, given.get("batch_size", 1024), **names)
    if out is not None:
        _check_apart(out, given["data"], options.run)
    lines = options.json if out is None else out.suffix == ".jsonl"
    with _opened(out) as file:
        write = answers.jsonl(file) if lines else answers.csv(file)
        rows = sum(map(write, outputs_of_batches(model, batches)))
        if not rows:
            raise ValueError(f"{given['data']}: there are no rows to predict")
    answers.warn()
    if out is not None and options.json:
        print(json.dumps({"run": options.run, "rows": rows, "out": str(out)}))


def _check_apart(out: Path, data: str, run: str) -> None:
    """Raise a UsageError where the answers would replace the examples, or a file of the run that answers."""
    model = Path(run)
    for file in (*kind_of(data)[1], *(model.iterdir() if model.is_dir() else [model])):
        if out.exists() and os.path.samefile(out, file):
            raise UsageError(
                f"twingrad predict: error: --out {out} would overwrite {file}, which is read; name another file"
            )


@contextmanager
def _opened(out: Path | None) -> Iterator[TextIO]:
    """The file, written whole or not at all; or standard output."""
    if out is None:
        yield sys.stdout
        return
    draft = out.with_name(f".{out.name}.part")
    try:
        opened = draft.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise OSError(f"--out {out} cannot be written ({error.strerror}); name another file") from None
    try:
        with opened as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, out)
    except BaseException as error:
        draft.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename in (None, str(draft)):
            raise unsaved(out, error) from error
        raise
