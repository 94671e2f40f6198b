"""Which sources a compiled library was made of: `setup.py` writes their digest into it, the loader compares it.

It imports nothing of the package, for `setup.py` runs it by itself.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

KERNELS = Path(__file__).resolve().parents[1]


def files() -> list[Path]:
    """The sources of the CPU kernels, headers too; empty where only the compiled library was installed."""
    return sorted(path for pattern in ("include/*.h", "cpu/*.h", "cpu/*.cpp") for path in KERNELS.glob(pattern))


def digest() -> str:
    """A digest of the names and the text of all sources."""
    found = hashlib.sha256()
    for path in files():
        text = path.read_bytes().replace(b"\r\n", b"\n")
        found.update(b"%s %d\n%s" % (path.name.encode(), len(text), text))
    return found.hexdigest()[:16]
