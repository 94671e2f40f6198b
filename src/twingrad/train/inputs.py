"""From raw features to what a network sees, as far as a device can do it: bytes are scaled where the model is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad import backends
from twingrad import functional as F
from twingrad.autodiff import Tensor
from twingrad.data import Dataset, Preprocessing, Table
from twingrad.data.rows import chunks
from twingrad.data.scaling import byte_table
from twingrad.train.objective import Objective
from twingrad.train.placement import device_of_model, first_parameter, input_dtype, on_disk, raw_inputs

Change = Callable[[Any], Any] | None
"""What an augmentation does to the raw x of one batch."""


class Inputs:
    """Features of the kind that `given` has, made ready for a model in two moves: on the host, and on its device.

    table: on a GPU, for features of bytes that are all scaled alike, what each of the 256 means: they cross the bus and
    stay there as bytes, and `meant` looks them up, to the bits of `Preprocessing.apply`. Else None,
    as where an augmentation has changed them.
    """

    def __init__(self, model: Any, objective: Objective, given: Dataset | None, changed: bool = False) -> None:
        self.preprocessing, self.dtype = objective.preprocessing, np.dtype(first_parameter(model).dtype)
        self.names = () if given is None else tuple(given.feature_names)
        self.backend = backends.get(device_of_model(model))
        self.model = model
        as_bytes = device_of_model(model).kind == "cuda" and not changed and not model.takes_integers
        meaning = _meaning(given, self.preprocessing) if as_bytes else None
        self.table = None if meaning is None else self.backend.asarray(meaning, dtype=self.dtype)

    def ready(self, x: Any, change: Change = None) -> NDArray[Any]:
        """Features as they are read, as they go to the device. A change comes before the preprocessing."""
        if change is not None:
            x = change(self.cast(x) if self.preprocessing is None else x.astype(np.float32))
        if self.table is None:
            x = raw_inputs(x, self.preprocessing, self.names)
            return np.asarray(x, input_dtype(self.model, x))
        return np.ascontiguousarray(x).reshape(len(x), -1) if self.preprocessing else np.ascontiguousarray(x)

    def cast(self, array: Any, *, keep_integers: bool = False) -> NDArray[Any]:
        """`array` on the host in the model's dtype; with keep_integers whole numbers stay what they are."""
        keep = keep_integers and array.dtype.kind in "iub"
        return np.asarray(array, None if keep else self.dtype)

    def meant(self, numbers: Any, x: Any) -> Any:
        """The bytes (B, ...) on the device as the network sees them; numbers: 0 to B - 1, there too."""
        found = F.gather(numbers, x, self.table)
        return Tensor(found) if isinstance(x, Tensor) else found

    def whole(self, given: Dataset) -> Any:
        """All features of a data set on the device; memory-mapped ones are read a few megabytes at a time."""
        if not on_disk(given):
            return self.backend.asarray(self.ready(given.x[:]))
        first = self.ready(given.take(slice(0, 1)).x[:])
        shape = len(given), *first.shape[1:]
        out = self.backend.zeros_aligned(int(np.prod(shape)), first.dtype).reshape(shape)
        for part in chunks(given.x):
            out[part] = self.backend.asarray(self.ready(given.take(part).x[:]))
        return out


def _meaning(given: Dataset | None, preprocessing: Preprocessing | None) -> NDArray[np.float32] | None:
    """What each byte of the features means; None where they are no bytes, or mean different things by column."""
    if given is None or isinstance(given.x, Table) or given.x.dtype != np.uint8:
        return None
    if preprocessing is None:
        return np.arange(256, dtype=np.float32)
    names = tuple(given.feature_names)
    if len(preprocessing.shift) > 1 or (names and preprocessing.names and names != preprocessing.names):
        return None
    return byte_table(preprocessing.shift[0], preprocessing.scale[0])
