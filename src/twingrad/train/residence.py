"""Whether a data set stays on the model's device as a whole, or is streamed: by the memory that is free there."""

from __future__ import annotations

from typing import Any, NamedTuple

from twingrad import backends
from twingrad.backends.memory import size
from twingrad.data import Dataset
from twingrad.data.resident import HELD
from twingrad.train.inputs import Inputs
from twingrad.train.objective import Objective
from twingrad.train.placement import device_of_model, first_parameter, on_disk

SMALL = 256 << 20
"""Memory-mapped data of no more bytes are read at once: a thread that reads batches costs a small step more."""
KEPT = 4
"""A GPU keeps a KEPT-th of its memory for what training itself takes."""


class Reading(NamedTuple):
    """How a run reads its data: see the arguments of `fit`. held: batches of one update."""

    prefetch: int | None = None
    resident: bool | None = None
    held: int = 1


def residence(
    model: Any, objective: Objective, given: Dataset, weight: Any, reading: Reading, changed: bool = False
) -> tuple[bool, str]:
    """Whether all of `given` goes to the model's device at once, and why, in words.

    changed: each batch is augmented, and so made ready anew. Where nothing was asked for, a GPU's free memory decides;
    on the CPU memory-mapped data are streamed, unless they are `SMALL`.
    """
    device = device_of_model(model)
    if reading.resident is False or (reading.resident is None and reading.prefetch is not None):
        return False, "streamed (asked for)"
    if changed:
        return False, "streamed (each batch is augmented)"
    if reading.resident:
        return True, f"resident on {device} (asked for)"
    if (dtype := first_parameter(model).dtype) not in HELD:
        return False, f"streamed (no data of {dtype} stay on a device)"
    if device.kind == "cpu" and not on_disk(given):
        return True, "in memory"
    need = needed(Inputs(model, objective, given), objective, given, weight)
    if device.kind == "cpu":
        return (True, "in memory") if need <= SMALL else (False, f"streamed from the disk ({size(need)})")
    free, total = backends.get(device).memory()
    room = max(0, free - total // KEPT)
    told = f"{size(need)} of data, {size(free)} free on {device}, {size(total // KEPT)} of that kept for training"
    return need <= room, f"resident on {device} ({told})" if need <= room else f"streamed ({told})"


def needed(inputs: Inputs, objective: Objective, given: Dataset, weight: Any) -> int:
    """The bytes of features, targets and weights on the device."""
    first = given.take(slice(0, 1))
    targets = inputs.cast(objective.targets(first.y), keep_integers=True)
    learned = objective.learned(targets, inputs.dtype)
    arrays = [inputs.ready(first.x[:]), targets, *([] if learned is targets else [learned])]
    return len(given) * int(sum(array.nbytes for array in arrays) + (weight is not None) * inputs.dtype.itemsize)
