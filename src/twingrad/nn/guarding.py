"""What a captured step has to find as it was of the modules that it called."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from twingrad.nn.state import host_copy, write
from twingrad.precision import asked_for
from twingrad.recording import current

if TYPE_CHECKING:
    from twingrad.nn.module import Module


def guard(module: Module) -> None:
    """Have a captured step check that this module is in the same mode, and put its buffers back on failure."""
    recording = current()
    assert recording is not None
    if module in recording.seen:
        return
    recording.seen.add(module)
    module.flat().guard()
    mode = module.training
    precision = asked_for()
    other = f"the precision is no longer {precision!r}"
    recording.guards.append(lambda: None if asked_for() == precision else other)
    changed = f"{module.path or 'the model'} is no longer in {'train' if mode else 'eval'} mode"
    recording.guards.append(lambda: None if module.training == mode else changed)
    for buffer in module._buffers.values():
        recording.undo.append(functools.partial(write, buffer, host_copy(buffer)))
