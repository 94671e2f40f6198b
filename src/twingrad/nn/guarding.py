"""What a captured step has to find as it was of the modules that it called."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from twingrad.nn.state import host_copy, write
from twingrad.precision import asked_for
from twingrad.recording import current

if TYPE_CHECKING:
    from twingrad.nn.module import Module


def guard(module: Module) -> None:
    """Have a captured step check this module's mode and options, and put its buffers back on failure."""
    recording = current()
    assert recording is not None
    if module in recording.seen:
        return
    recording.seen.add(module)
    module.flat().guard()
    precision = asked_for()
    if ("precision", precision) not in recording.seen:
        recording.seen.add(("precision", precision))
        other = f"the precision is no longer {precision!r}"
        recording.guards.append(lambda: None if asked_for() == precision else other)
    recording.guards.append(functools.partial(_changed, module, module.training, _options(module)))
    for buffer in module._buffers.values():
        recording.undo.append(functools.partial(write, buffer, host_copy(buffer)))


def _options(module: Module) -> list[Any]:
    return [getattr(module, name) for name in module.options]


def _changed(module: Module, mode: bool, options: list[Any]) -> str | None:
    """What is no longer as it was: the mode, or an option by name."""
    if module.training != mode:
        return f"{module.path or 'the model'} is no longer in {'train' if mode else 'eval'} mode"
    for name, was in zip(module.options, options, strict=True):
        if getattr(module, name) != was:
            return f"{name} of {module.path or type(module).__name__} is {getattr(module, name)}, and was {was}"
    return None
