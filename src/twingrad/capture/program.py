"""What a recorded step becomes: a program of the device that its kernels ran on."""

from __future__ import annotations

import functools
import importlib
from typing import Any

import numpy as np

from twingrad.errors import CaptureError
from twingrad.recording import Recording

PROGRAMS = {"cpu": "twingrad.kernels.cpu", "cuda": "twingrad.kernels.cuda.graph"}
"""Where each backend has `advance(recording, counter, times)` and `Program(recording)`, with its `run` and `arrays`."""


def program(recording: Recording) -> Any:
    """What the step did as a thing to run again, by the device that its kernels ran on."""
    kinds = {launch.backend for launch in recording.launches}
    if not kinds:
        raise CaptureError("the step launched no kernel: there is nothing to replay")
    if len(kinds) > 1:
        raise CaptureError("the step launches kernels on the CPU and on a GPU; capture one step for each")
    device = importlib.import_module(PROGRAMS[kinds.pop()])
    for counter, times in recording.advances.items():
        device.advance(recording, counter, times)
        recording.undo.append(functools.partial(np.subtract, counter.cell, times, out=counter.cell))
    recording.finish()
    return device.Program(recording)
