"""An optimizer's step inside a captured one: what the host does at each replay, and what has to be as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twingrad.errors import CaptureError
from twingrad.nn import FlatParameters
from twingrad.precision import asked_for
from twingrad.recording import Recording

if TYPE_CHECKING:
    from twingrad.optim.optimizer import Optimizer


def record_host_work(optimizer: Optimizer, recording: Recording, flat: FlatParameters) -> None:
    """Have each replay write the scalars of its step first, and count it."""
    if optimizer in recording.seen:
        raise CaptureError("a captured step calls an optimizer's step() once: its scalars are written once a replay")
    recording.seen.add(optimizer)
    flat.guard()
    active = optimizer._plan.active

    def advance() -> Callable[[], None]:
        optimizer._choose(active)
        optimizer._advance()
        return take_back

    def take_back() -> None:
        optimizer._plan.steps -= active
        optimizer.steps_taken -= 1

    copies = flat.copies if asked_for() == "bf16" else None
    recording.guards.append(_guard(optimizer))
    recording.before_replay.append(advance)
    recording.after_replay.append(lambda: optimizer._count_write(flat, copies))
    recording.undo.append(_back_to_here(optimizer, flat))


def _guard(optimizer: Optimizer) -> Callable[[], str | None]:
    """Tells what a replay would still have as it is now: arguments outside of the scalars, arrays of the state."""
    constants = {"clip_norm": optimizer.clip_norm, "loss_scale": optimizer.loss_scale}
    held, name = dict(optimizer.state), type(optimizer).__name__

    def why_not() -> str | None:
        for argument, was in constants.items():
            if getattr(optimizer, argument) != was:
                return f"{argument} of {name} is {getattr(optimizer, argument)}, and was {was}"
        same = all(optimizer.state.get(moment) is array for moment, array in held.items())
        return None if same else f"an array of the state of {name} was replaced"

    return why_not


def _back_to_here(optimizer: Optimizer, flat: FlatParameters) -> Callable[[], None]:
    """A function that puts parameters, moments and step numbers back as they are now."""
    arrays = [flat.buffers()[0], optimizer._plan.steps, *optimizer.state.values()]
    copies, taken = [array.copy() for array in arrays], optimizer.steps_taken

    def put_back() -> None:
        for array, copy in zip(arrays, copies, strict=True):
            array[...] = copy
        optimizer.steps_taken = taken
        flat.memory.write()  # the bfloat16 copies are of the values before

    return put_back
