"""How batches come to the model's device ahead of their use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from twingrad.backends.uploads import Uploads
from twingrad.data import Prefetch
from twingrad.devices import Device


class Road:
    """`with road.along(source) as found:` gives the batches of `source`, tuples of NumPy arrays, on `device`.

    depth: a thread makes so many ready ahead; 0 makes each when it is asked for. held: batches that are used at a time,
    whose memory on a GPU is filled again once as many more are asked for.
    """

    def __init__(self, device: Device, depth: int, held: int) -> None:
        self.depth = depth
        self.uploads = Uploads(device.number, held, depth) if device.kind == "cuda" else None

    def along(self, source: Iterable[tuple[Any, ...]]) -> AbstractContextManager[Iterator[tuple[Any, ...]]]:
        """See above."""
        if self.uploads is None:
            return Prefetch(source, self.depth)
        return self.uploads.batches(source, Prefetch if self.depth else in_turn)


def in_turn(source: Iterator[Any], depth: int) -> Prefetch[Any]:
    """The items of `source`, each computed when it is asked for."""
    return Prefetch(source, 0)
