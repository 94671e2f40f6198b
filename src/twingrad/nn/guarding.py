"""What a captured step has to find as it was of the modules that it called."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from twingrad.nn.state import host_copy, write
from twingrad.precision import asked_for
from twingrad.recording import current

if TYPE_CHECKING:
    from twingrad.nn.module import Module


class Watch:
    """The guard of all modules that a captured step called: their modes and options must be what they were."""

    def __init__(self) -> None:
        self.values: list[tuple[dict[str, Any], str, Any, Any, Module]] = []

    def add(self, module: Module) -> None:
        """Keep what the attributes hold now; those that were never set are their class's."""
        for name in ("training", *module.options):
            self.values.append((vars(module), name, getattr(type(module), name, None), getattr(module, name), module))

    def __call__(self) -> str | None:
        for own, name, default, was, module in self.values:
            if own.get(name, default) != was:
                return _changed(module, name, was)
        return None


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
    if recording.watch is None:
        recording.watch = Watch()
        recording.guards.append(recording.watch)
    recording.watch.add(module)
    for buffer in module._buffers.values():
        recording.undo.append(functools.partial(write, buffer, host_copy(buffer)))


def _changed(module: Module, name: str, was: Any) -> str:
    if name == "training":
        return f"{module.path or 'the model'} is no longer in {'train' if was else 'eval'} mode"
    return f"{name} of {module.path or type(module).__name__} is {getattr(module, name)}, and was {was}"
