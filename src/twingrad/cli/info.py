"""`twingrad info`."""

from __future__ import annotations

import json

from twingrad.cli.parser import Options
from twingrad.info import config, render


def run(options: Options) -> None:
    """Print what runs here."""
    found = config()
    print(json.dumps(found) if options.json else render(found))
