"""The compiled CPU kernels: `launch` runs one over NumPy arrays, `Program` replays many in one call.

loader.py    the compiled library, its instruction set, NumPy's BLAS     overrides.py   registers the kernels
pool.cpp     the threads                                                 *.cpp          the kernels, one file a subject
program.cpp  the BLAS's thread count, lists of launches                  memory.py      memory of results, used again

Every kernel has the C signature `void f(const void *arguments)`; arguments are a struct of 8-byte members.
"""

from __future__ import annotations

import ctypes
import struct
from typing import Any, NamedTuple

import numpy as np

from twingrad.kernels.cpu.loader import MOST_THREADS, Library, address, find
from twingrad.random.counter import Counter
from twingrad.recording import Recording, current, under_way

__all__ = [
    "Kernel",
    "Launch",
    "Program",
    "address",
    "advance",
    "available",
    "blas",
    "instruction_set",
    "launch",
    "set_threads",
    "threads",
    "unavailable",
]

SUFFIXES = {
    np.dtype(np.float32): "f32",
    np.dtype(np.float64): "f64",
    np.dtype(np.int64): "i64",
    np.dtype(np.uint32): "u32",
}


class Launch(NamedTuple):
    """One call of a kernel: its address, its packed arguments, and the arrays that these point to."""

    function: int
    arguments: bytes
    keep: tuple[Any, ...]

    @property
    def backend(self) -> str:
        """Whose program repeats it."""
        return "cpu"


class Kernel:
    """A compiled kernel by name: `kernel(arrays, *numbers)` launches the copy for the first array's dtype.

    layout: of the arguments after the pointers, one `struct` letter each: q int64, Q uint64, d float64.
    """

    __slots__ = ("addresses", "counts", "name", "pack", "pack_objects", "run")

    def __init__(self, name: str, pointers: int, layout: str) -> None:
        self.name = name
        arguments = struct.Struct(f"={pointers}q{layout}")
        self.pack = arguments.pack
        self.counts = pointers, arguments.size // 8
        self.pack_objects = struct.Struct(f"={2 + pointers}q{layout}").pack
        self.addresses: dict[Any, int] = {}
        self.run: Any = None

    def __call__(self, arrays: tuple[Any, ...], *numbers: float) -> None:
        function = self.addresses.get(arrays[0].dtype)
        if function is None or under_way:
            self.launch(arrays[0].dtype, arrays, *numbers)
        else:
            self.run(function, self.pack_objects(*self.counts, *map(id, arrays), *numbers))

    def launch(self, dtype: np.dtype[Any], arrays: tuple[Any, ...], *numbers: float) -> None:
        """Launch the copy for `dtype`: for kernels whose first array may be None."""
        function = self.addresses.get(dtype)
        if function is None:
            function = self._find(dtype)
        if under_way:
            launch(function, self.pack(*map(address, arrays), *numbers), arrays)
        else:
            self.run(function, self.pack_objects(*self.counts, *map(id, arrays), *numbers))

    def _find(self, dtype: np.dtype[Any]) -> int:
        self.run = library().c.tg_run_on_objects
        function = self.addresses[dtype] = library().symbol(self.name, SUFFIXES[dtype])
        return function


def launch(function: int, arguments: bytes, keep: tuple[Any, ...]) -> None:
    """Run one kernel now; while a step is captured, write it down as well."""
    library().c.tg_run_one(function, arguments)
    if (recording := current()) is not None:
        recording.launches.append(Launch(function, arguments, keep))


def advance(recording: Recording, counter: Counter, times: int) -> None:
    """Advance `counter` by a launch, which a replay repeats."""
    Kernel("counter_add", 1, "q")((counter.cell,), times)


class Program:
    """The launches of a recording, which one C call replays over the arrays that they were made with.

    `run` releases the GIL; inside it the BLAS computes on one thread, and the products are split over ours.
    """

    def __init__(self, recording: Recording) -> None:
        self.launches: tuple[Launch, ...] = tuple(recording.launches)
        addresses = [
            ctypes.cast(ctypes.c_char_p(launch.arguments), ctypes.c_void_p).value or 0 for launch in self.launches
        ]
        pairs = [word for launch, at in zip(self.launches, addresses, strict=True) for word in (launch.function, at)]
        self._table = struct.pack(f"={len(pairs)}q", *pairs)
        self._run = library().c.tg_run

    def run(self) -> None:
        """Run every launch, in order."""
        self._run(self._table, len(self.launches))

    @property
    def arrays(self) -> list[Any]:
        """What the launches may write: inputs, and the data set that a step gathers from, are read-only."""
        kept = (a for launch in self.launches for a in launch.keep if a is not None and a.flags.writeable)
        return list({id(array): array for array in kept}.values())


def library() -> Library:
    """The loaded library; RuntimeError with the reason where there is none."""
    found = find()
    if isinstance(found, str):
        raise RuntimeError(found)
    return found


def available() -> bool:
    """Whether the compiled kernels can run here."""
    return unavailable() is None


def unavailable() -> str | None:
    """The reason why no compiled kernel can run here, or None."""
    found = find()
    return found if isinstance(found, str) else None


def instruction_set() -> str:
    """The instruction set in use: "x86-64-v4", "x86-64-v3", "x86-64-v2" or "baseline"; TWINGRAD_ISA forces a lesser."""
    isa = library().isa
    return isa if isa == "baseline" else f"x86-64-{isa}"


def blas() -> str | None:
    """The reason why matrix products cannot be split over the BLAS here, or None."""
    return library().blas


def threads() -> int:
    """The threads that share a kernel's tiles, the caller's among them."""
    return int(library().c.tg_threads())


def set_threads(count: int) -> None:
    """Share tiles among `count` threads, 1 to 256; results do not depend on it. ValueError outside that range."""
    if not 1 <= count <= MOST_THREADS:
        raise ValueError(f"the kernels run on 1 to {MOST_THREADS} threads, got {count}")
    library().c.tg_set_threads(count)
