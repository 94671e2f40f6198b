"""`twingrad cache clear`."""

from __future__ import annotations

import importlib
import json

from twingrad.cli.parser import Options


def run(options: Options) -> None:
    """Remove the compiled GPU kernels that are kept on disk, and say how many there were."""
    cleared = importlib.import_module("twingrad.kernels.cuda.cache").clear()
    if options.json:
        print(json.dumps({"folder": str(cleared.folder), "files": cleared.files, "bytes": cleared.bytes}))
    else:
        print(f"removed {cleared.files} compiled kernels, {cleared.bytes / 1e6:.1f} MB, from {cleared.folder}")
