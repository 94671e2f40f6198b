"""Loads compiled kernels through CuPy, once for each GPU, and launches them on CuPy's current stream."""

from __future__ import annotations

import functools
import warnings
from typing import Any

from twingrad.devices import Device, DeviceWarning
from twingrad.kernels.cuda import build, graph
from twingrad.kernels.cuda.nvrtc import Nvrtc, find

THREADS = 256
ELEMENTS = 1024
"""Threads of a block, and the elements that it takes at a time: THREADS and TILE of grid.cuh."""

BLOCKS_PER_PROCESSOR = 16
"""Blocks for each of the GPU's processors; beyond that, blocks walk on through the array."""


class KernelWarning(DeviceWarning):
    """A GPU is used, but not by fused kernels: the reference path runs there."""


def launch(source: str, kernel: str, elements: int, array: Any, *args: Any) -> None:
    """Run `kernel` of the file `source` over `elements` elements, on the GPU where `array` lives.

    args: CuPy arrays, None for a null pointer, and NumPy scalars of the C types that the kernel declares.
    Returns before the GPU is done.
    """
    launch_blocks(source, kernel, -(-elements // ELEMENTS), array, *args)


def launch_blocks(source: str, kernel: str, blocks: int, array: Any, *args: Any) -> None:
    """As `launch`, of a kernel that shares its work by blocks: `blocks` of them, or as many as fill the GPU."""
    if blocks:
        gpu = int(array.device.id)
        with array.device:
            grid = (min(blocks, BLOCKS_PER_PROCESSOR * _processors(gpu)),)
            graph.perform(gpu, functools.partial(_run, _function(source, kernel, gpu), grid), *args)


def _run(function: Any, grid: tuple[int], *args: Any) -> None:
    function(grid, (THREADS,), args)


@functools.cache
def why_not(source: str, gpu: int) -> str | None:
    """Why the kernels of the file `source` cannot run on GPU number `gpu`, said once; None if they are loaded there."""
    try:
        _module(source, gpu)
    except Exception as error:  # of the compiler, of CuPy, of the driver: the reference path does without
        first, *_ = f"{type(error).__name__}: {error}".splitlines()
        reason = f"{source}.cu cannot be compiled or loaded for {Device(f'cuda:{gpu}')}: {first}"
        say(reason, str(error))
        return reason
    return None


def say(reason: str, detail: str = "") -> None:
    """Warn that the reference path runs on the GPU, and why. Callers ask once."""
    more = f"\n{detail}" if "\n" in detail else ""
    message = f"no fused kernels: {reason}; the reference path runs on the GPU instead, more slowly"
    warnings.warn(f"{message}; tg.fused_report() counts{more}", KernelWarning, stacklevel=3)


def constant(gpu: int, values: Any) -> Any:
    """`values` on GPU number `gpu`, there when this returns: whatever stream is the next to read them."""
    import cupy

    with cupy.cuda.Device(gpu) as device:
        found = cupy.asarray(values)
        device.synchronize()
    return found


def compiler() -> Nvrtc:
    """The run-time compiler of CuPy's own CUDA version, whose machine code the driver is sure to take."""
    import cupy

    return find(int(cupy.cuda.runtime.runtimeGetVersion()) // 1000)


@functools.cache
def _function(source: str, kernel: str, gpu: int) -> Any:
    return _module(source, gpu).get_function(kernel)


@functools.cache
def _module(source: str, gpu: int) -> Any:
    import cupy

    with cupy.cuda.Device(gpu):
        module = cupy.cuda.Module()
        module.load(build.image(source, int(cupy.cuda.Device(gpu).compute_capability), compiler()))
    return module


@functools.cache
def _processors(gpu: int) -> int:
    import cupy

    return int(cupy.cuda.Device(gpu).attributes["MultiProcessorCount"])
