"""What runs here: versions, devices, kernels and libraries, and why something faster does not."""

from __future__ import annotations

import ctypes
import glob
import importlib
import os
import platform
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from twingrad import devices
from twingrad.backends.memory import size
from twingrad.errors import DeviceError

__all__ = ["config", "render", "show_config"]

OTHERS_VARIABLES = ("CUDA_VISIBLE_DEVICES", "OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
CUPY_PACKAGES = ("cupy-cuda13x", "cupy-cuda12x", "cupy")


def config() -> dict[str, Any]:
    """Everything that decides what runs here, as a dictionary that JSON can hold. Probes the GPU, if there is one.

    Keys: versions, platform, device, cpu_kernels, cuda_kernels, blas, matmul, variables, refusals. What cannot be
    used has its reason beside it.

    >>> sorted(config())
    ['blas', 'cpu_kernels', 'cuda_kernels', 'device', 'matmul', 'platform', 'refusals', 'variables', 'versions']
    """
    from twingrad.fusable import fused_report

    return {
        "versions": _versions(),
        "platform": _platform(),
        "device": _device(),
        "cpu_kernels": _cpu_kernels(),
        "cuda_kernels": _cuda_kernels(),
        "blas": blas(),
        "matmul": _matmul(),
        "variables": {
            name: value
            for name, value in sorted(os.environ.items())
            if name.startswith("TWINGRAD_") or name in OTHERS_VARIABLES
        },
        "refusals": fused_report(),
    }


def render(config: dict[str, Any]) -> str:
    """The dictionary of `config` as lines to read.

    >>> print(render({"device": {"chosen": "cpu", "gpus": []}, "refusals": []}))
    device
      chosen  cpu
      gpus    none
    refusals  none
    """
    width = max(len(key) for key in config)
    lines = []
    for section, entries in config.items():
        if isinstance(entries, dict) and entries:
            inner = max(len(key) for key in entries)
            lines += [section, *(f"  {_words(key):<{inner}}  {_plain(value)}" for key, value in entries.items())]
        elif isinstance(entries, list) and entries:
            lines += [section, *(f"  {_plain(entry)}" for entry in entries)]
        else:
            lines.append(f"{section:<{width}}  {_plain(entries)}")
    return "\n".join(lines)


def show_config() -> None:
    """Print what runs here, and why something faster does not: see `config`."""
    print(render(config()))


def blas() -> dict[str, Any]:
    """NumPy's BLAS: its name and version; for OpenBLAS its kernels' core type and threads, and a warning if pinned.

    >>> sorted(blas())
    ['core_type', 'name', 'threads', 'version', 'warning']
    """
    built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    found: dict[str, Any] = {"name": built.get("name"), "version": built.get("version")}
    found |= {"core_type": None, "threads": None, "warning": None} | _openblas()
    pinned = os.environ.get("OPENBLAS_CORETYPE")
    if pinned:
        found["warning"] = (
            f"OPENBLAS_CORETYPE={pinned} pins OpenBLAS to one core type's kernels, often slower than this CPU's own: "
            "unset it"
        )
    return found


def _openblas() -> dict[str, Any]:
    """What the OpenBLAS inside NumPy's wheel says of itself; empty where NumPy uses another."""
    package = Path(np.__file__).parent
    for path in glob.glob(f"{package.parent}/numpy.libs/*openblas*") + glob.glob(f"{package}/.dylibs/*openblas*"):
        library = ctypes.CDLL(path)
        for suffix in ("64_", ""):
            core = getattr(library, f"scipy_openblas_get_corename{suffix}", None)
            if core is not None:
                core.restype = ctypes.c_char_p
                threads = getattr(library, f"scipy_openblas_get_num_threads{suffix}")
                return {"core_type": core().decode(), "threads": int(threads())}
    return {}


def _versions() -> dict[str, str | None]:
    found = {"twingrad": _version("twingrad"), "python": platform.python_version(), "numpy": np.__version__}
    found["array-api-compat"] = _version("array-api-compat")
    found["safetensors"] = _version("safetensors")
    found |= {package: _version(package) for package in ("nvmath-python", "ml-dtypes")}
    found["cupy"] = next((version for name in CUPY_PACKAGES if (version := _version(name))), None)
    return found


def _version(package: str) -> str | None:
    from importlib import metadata  # a slow import, and `import twingrad` needs none of it

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _platform() -> dict[str, Any]:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "cpu": _cpu_model(),
        "cores": usable,
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _device() -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", devices.DeviceWarning)
        try:
            chosen: str | None = str(devices.resolve())
            error = None
        except DeviceError as failure:
            chosen, error = None, str(failure)
    found: dict[str, Any] = {"chosen": chosen, "available": [str(device) for device in devices.available()]}
    found["gpus"] = [_gpu(device.number) for device in devices.available() if device.kind == "cuda"]
    found["gpu_unused"] = devices.probe().reason
    return found if error is None else found | {"error": error}


def _gpu(index: int) -> dict[str, Any]:
    import cupy

    from twingrad.precision import LEAST, PRECISIONS

    runtime, gpu = cupy.cuda.runtime, cupy.cuda.Device(index)
    properties = runtime.getDeviceProperties(index)
    capability = 10 * properties["major"] + properties["minor"]
    with gpu:
        pool = int(cupy.get_default_memory_pool().total_bytes())
    return {
        "device": str(devices.Device(f"cuda:{index}")),
        "name": properties["name"].decode(),
        "compute_capability": f"{properties['major']}.{properties['minor']}",
        "memory": int(properties["totalGlobalMem"]),
        "memory_free": int(gpu.mem_info[0]),
        "memory_pool": pool,
        "precisions": list(PRECISIONS if capability >= LEAST else PRECISIONS[:1]),
        "driver": int(runtime.driverGetVersion()),
        "runtime": int(runtime.runtimeGetVersion()),
    }


def _cpu_kernels() -> dict[str, Any]:
    cpu = importlib.import_module("twingrad.kernels.cpu")
    reason = cpu.unavailable()
    found: dict[str, Any] = {"available": reason is None, "reason": reason and with_cure(reason)}
    if reason is None:
        found |= {"instruction_set": cpu.instruction_set(), "threads": cpu.threads()}
    return found


def with_cure(reason: str) -> str:
    """The reason why compiled kernels do not run, with what helps where a compiler was missing."""
    return f"{reason}: install g++ and run pip install again" if "compiler" in reason else reason


def _matmul() -> dict[str, Any]:
    """How matrix products of fused layers run on the CPU: their bits depend on the thread count on one path only."""
    cpu = importlib.import_module("twingrad.kernels.cpu")
    reason = cpu.unavailable() or cpu.blas()
    if reason is None:
        path = "split over twingrad's threads, each calling the BLAS on one: the same bits for any thread count"
    else:
        path = "np.matmul: its bits may depend on the thread count"
    return {"split": reason is None, "path": path, "reason": reason}


def _cuda_kernels() -> dict[str, Any]:
    if devices.probe().reason is not None:
        return {"available": False, "reason": "no GPU can be used: see device"}
    reason = importlib.import_module("twingrad.kernels.cuda.overrides").unavailable()
    return {"available": reason is None, "reason": reason, "products": _cuda_products()}


def _cuda_products() -> str:
    lt = importlib.import_module("twingrad.kernels.cuda.lt")
    return lt.version() or f"cuBLAS through CuPy, and no captured steps: {lt.unavailable()}"


def _words(key: str) -> str:
    """A key of a section as people read it; variables of the environment stay as they are."""
    return "why no GPU" if key == "gpu_unused" else key if key.isupper() else key.replace("_", " ")


def _plain(value: Any) -> str:
    if value is None or value == [] or value == {}:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_plain(item) for item in value)
    if isinstance(value, dict):
        return "; ".join(f"{_words(key)} {_told(key, item)}" for key, item in value.items())
    return str(value)


def _told(key: str, value: Any) -> str:
    return size(value) if key.startswith("memory") else _plain(value)
