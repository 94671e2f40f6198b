"""From a .cu source and the headers that it includes to machine code for one type of GPU, through the cache.

The options keep every operation as written and rounded to nearest, subnormal numbers included, so that a kernel gives
the words that the same headers give under g++: no contraction to fused multiply-add, no flush to zero, exact division
and square root.
"""

from __future__ import annotations

import re
from pathlib import Path

from twingrad.kernels.cuda import cache
from twingrad.kernels.cuda.nvrtc import Built, Nvrtc, find

SOURCES = Path(__file__).parent
HEADERS = SOURCES.parent / "include"
OPTIONS = ("--std=c++17", "--fmad=false", "--ftz=false", "--prec-div=true", "--prec-sqrt=true")

_INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)


def names() -> list[str]:
    """The CUDA sources, by name without ending."""
    return sorted(path.stem for path in SOURCES.glob("*.cu"))


def read(name: str) -> tuple[str, dict[str, str]]:
    """The text of the source `name`, and of every header that it includes, directly or not, by the included name."""
    source = (SOURCES / f"{name}.cu").read_text(encoding="utf-8")
    headers: dict[str, str] = {}
    waiting = _INCLUDE.findall(source)
    while waiting:
        header = waiting.pop()
        if header not in headers:
            folder = SOURCES if header.endswith(".cuh") else HEADERS
            headers[header] = (folder / header).read_text(encoding="utf-8")
            waiting += _INCLUDE.findall(headers[header])
    return source, headers


def target(capability: int, nvrtc: Nvrtc) -> str:
    """The NVRTC architecture for a GPU of this compute capability (90 is 9.0).

    Its own machine code, else that of the nearest older GPU of its generation, which it runs too; else, for a GPU
    newer than the compiler, PTX that the driver translates. Raises ValueError for a GPU that is too old.
    """
    own = [known for known in nvrtc.architectures if known <= capability and known // 10 == capability // 10]
    if own:
        return f"sm_{max(own)}"
    older = [known for known in nvrtc.architectures if known < capability]
    if not older:
        oldest = min(nvrtc.architectures)
        raise ValueError(f"compute capability {capability / 10} is below {oldest / 10}, the least of {nvrtc.path}")
    return f"compute_{max(older)}"


def compile(name: str, architecture: str, nvrtc: Nvrtc, extra: tuple[str, ...] = ()) -> Built:
    """Compile the source `name` for `architecture` ("sm_90"), past the cache. Raises NvrtcError with the log."""
    source, headers = read(name)
    return nvrtc.compile(source, headers, _options(architecture, extra), f"{name}.cu")


def image(name: str, capability: int, nvrtc: Nvrtc | None = None) -> bytes:
    """What the driver loads on a GPU of this capability: from the cache, else compiled and kept there."""
    nvrtc = nvrtc or find()
    architecture = target(capability, nvrtc)
    source, headers = read(name)
    options = _options(architecture)
    parts = [name, source, *(text for pair in sorted(headers.items()) for text in pair), *options, str(nvrtc.version)]
    kept = f"{name}-{architecture}-{cache.key(parts)}"
    content = cache.load(kept)
    if content is None:
        built = nvrtc.compile(source, headers, options, f"{name}.cu")
        content = built.ptx if architecture.startswith("compute") else built.cubin
        cache.store(kept, content)
    return content


def _options(architecture: str, extra: tuple[str, ...] = ()) -> tuple[str, ...]:
    return (f"--gpu-architecture={architecture}", *OPTIONS, *extra)
