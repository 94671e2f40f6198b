"""NVIDIA's run-time compiler, libnvrtc, through its C interface.

CuPy's own compile step is not used: it adds -ftz=true, which flushes subnormal numbers and so loses equality with the
CPU, and its cache ignores the text of included headers. Library documentation: docs.nvidia.com/cuda/nvrtc.
"""

from __future__ import annotations

import ctypes
import functools
import glob
import importlib.util
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

WHEELS = ("cu13/lib/libnvrtc.so.13", "cuda_nvrtc/lib/libnvrtc.so.12", "cu13/bin/x86_64/nvrtc64_13*.dll")
TOOLKITS = ("lib64/libnvrtc.so.1[23]", "lib/libnvrtc.so.1[23]", "targets/*/lib/libnvrtc.so.1[23]")
LOADER = ("libnvrtc.so.13", "libnvrtc.so.12")
INSTALL = "pip install nvidia-cuda-nvrtc (it comes with 'twingrad[cuda13]' and 'twingrad[cuda12]')"


class NvrtcError(RuntimeError):
    """The compiler was not found, or refused a program; the message carries its log."""


class Built(NamedTuple):
    """A compiled program: the machine code for one GPU type, the PTX it came from, and the compiler's log."""

    cubin: bytes
    ptx: bytes
    log: str


class Usage(NamedTuple):
    """What one kernel takes of a GPU: registers a thread, bytes spilled, of stack, and of a block's shared memory."""

    registers: int
    spill_stores: int
    spill_loads: int
    stack: int
    shared: int


class Nvrtc:
    """One loaded libnvrtc."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._library = ctypes.CDLL(path)
        self._library.nvrtcGetErrorString.restype = ctypes.c_char_p
        major, minor = ctypes.c_int(), ctypes.c_int()
        self._check(self._library.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)))
        self.version = (major.value, minor.value)

    @functools.cached_property
    def architectures(self) -> tuple[int, ...]:
        """The compute capabilities that it compiles for, as numbers: 90 is 9.0."""
        count = ctypes.c_int()
        self._check(self._library.nvrtcGetNumSupportedArchs(ctypes.byref(count)))
        found = (ctypes.c_int * count.value)()
        self._check(self._library.nvrtcGetSupportedArchs(found))
        return tuple(found)

    def compile(
        self, source: str, headers: Mapping[str, str], options: Sequence[str], name: str = "source.cu"
    ) -> Built:
        """Compile `source`, whose includes are looked up in `headers` by name. Raises NvrtcError with the log."""
        program = ctypes.c_void_p()
        names, texts = [_strings(values) for values in (list(headers), list(headers.values()))]
        self._check(
            self._library.nvrtcCreateProgram(
                ctypes.byref(program), source.encode(), name.encode(), len(headers), texts, names
            )
        )
        try:
            status = self._library.nvrtcCompileProgram(program, len(options), _strings(options))
            log = self._read(program, "ProgramLog").rstrip(b"\0").decode(errors="replace")
            if status:
                raise NvrtcError(f"{name}: {self._error(status)} ({' '.join(options)})\n{log}")
            return Built(self._read(program, "CUBIN"), self._read(program, "PTX"), log)
        finally:
            self._library.nvrtcDestroyProgram(ctypes.byref(program))

    def _read(self, program: ctypes.c_void_p, what: str) -> bytes:
        size = ctypes.c_size_t()
        self._check(getattr(self._library, f"nvrtcGet{what}Size")(program, ctypes.byref(size)))
        room = ctypes.create_string_buffer(max(size.value, 1))
        self._check(getattr(self._library, f"nvrtcGet{what}")(program, room))
        return room.raw[: size.value]

    def _check(self, status: int) -> None:
        if status:
            raise NvrtcError(f"{self.path}: {self._error(status)}")

    def _error(self, status: int) -> str:
        return str(self._library.nvrtcGetErrorString(status).decode())


@functools.cache
def find(major: int | None = None) -> Nvrtc:
    """The run-time compiler: from NVIDIA's wheel, a CUDA toolkit, or the loader's path, in this order.

    major: the CUDA version it must have (12 or 13), as machine code must not be newer than the driver's.
    Raises NvrtcError if there is none, saying where it looked and how to install it.
    """
    tried = []
    for path in _candidates():
        try:
            found = Nvrtc(path)
        except (OSError, AttributeError, NvrtcError) as error:
            tried.append(f"{path} ({error})" if os.path.sep in path else path)
            continue
        if major in (None, found.version[0]):
            return found
        tried.append(f"{path} (CUDA {found.version[0]})")
    wanted = "" if major is None else f" of CUDA {major}"
    raise NvrtcError(f"NVIDIA's run-time compiler libnvrtc{wanted} was not found; tried {', '.join(tried)}; {INSTALL}")


def usage(log: str) -> dict[str, Usage]:
    """Registers and spills of each kernel, from the log of a compilation with `-Xptxas -v`."""
    found = {}
    for part in log.split("Compiling entry function ")[1:]:
        name = part.split("'")[1]
        stack, stores, loads = (
            _number(rf"(\d+) bytes {what}", part) for what in ("stack", "spill stores", "spill loads")
        )
        shared = re.search(r"(\d+) bytes smem", part)
        registers = _number(r"Used (\d+) registers", part)
        found[name] = Usage(registers, stores, loads, stack, int(shared[1]) if shared else 0)
    return found


def _number(pattern: str, text: str) -> int:
    match = re.search(pattern, text)
    if match is None:
        raise NvrtcError(f"the compiler's log has no {pattern!r}:\n{text}")
    return int(match[1])


def _candidates() -> Iterator[str]:
    package = importlib.util.find_spec("nvidia")
    for folder in (package.submodule_search_locations or ()) if package else ():
        for wheel in WHEELS:
            yield from sorted(glob.glob(os.path.join(folder, wheel)))
    named = [os.environ.get(name) for name in ("CUDA_PATH", "CUDA_HOME", "CONDA_PREFIX")]
    for folder in filter(None, [*named, *sorted(glob.glob("/usr/local/cuda*"))]):
        for place in TOOLKITS:
            yield from sorted(glob.glob(os.path.join(folder, place)), reverse=True)
    yield from LOADER


def _strings(values: Sequence[str]) -> ctypes.Array[ctypes.c_char_p]:
    return (ctypes.c_char_p * len(values))(*(value.encode() for value in values))
