"""Opening files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path


@contextmanager
def opened(path: Path) -> Iterator[BufferedIOBase]:
    """The file's bytes, decompressed where its name ends in .gz.

    Raises:
        ValueError: the compressed file is damaged or truncated.
    """
    if path.suffix != ".gz":
        with path.open("rb") as plain:
            yield plain
        return
    import gzip  # not at import: most data sets need neither
    import zlib

    try:
        with gzip.open(path, "rb") as compressed:
            yield compressed
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path}: the compressed file is damaged or truncated ({error}); fetch it again") from error
