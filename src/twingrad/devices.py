"""Devices by name, and which one to use: an argument, `use_device`, TWINGRAD_DEVICE, else the GPU where it works.

"cpu" is NumPy; "cuda" is CuPy on the first NVIDIA GPU, "cuda:1" on the second. CUDA is believed only after a probe:
CuPy imports, it finds a device, and one small kernel and one small matrix product really run there. The probe runs once
in a process, and never on the way to an explicit "cpu".
"""

from __future__ import annotations

import difflib
import functools
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from twingrad.errors import DeviceError

__all__ = [
    "Device",
    "DeviceError",
    "DeviceWarning",
    "Probe",
    "available",
    "device_of",
    "probe",
    "resolve",
    "use_device",
]

AUTO = "auto"
INSTALL = "pip install 'twingrad[cuda13]' (or 'twingrad[cuda12]' where the NVIDIA driver is older than 580)"
EXTRAS = (12, 13)
"""The major versions of CUDA that there are extras for, as there are wheels of CuPy."""
DRIVER_FILES = (
    "/proc/driver/nvidia/version",
    "/usr/lib/wsl/lib/libcuda.so.1",
    os.path.join(os.environ.get("SYSTEMROOT", "C:\\Windows"), "System32", "nvcuda.dll"),
)

_NAME = re.compile(r"cpu|cuda(:(0|[1-9]\d*))?")
_ALIASES = {"gpu": "cuda", "nvidia": "cuda", "cupy": "cuda", "numpy": "cpu", "host": "cpu"}
_chosen: ContextVar[Device | None] = ContextVar("device", default=None)
_told: set[str] = set()


class DeviceWarning(RuntimeWarning):
    """The CPU is used although a GPU seemed to be meant: CuPy or an NVIDIA driver is there, but does not work."""


class Device(str):
    """The name of a device: "cpu", "cuda" (the first GPU, also "cuda:0"), "cuda:1". Equal to its string.

    Raises DeviceError for any other value. Naming a device does not touch it: `resolve` does.

    >>> Device("cuda:1").kind, Device("cuda:1").number, Device("cuda:0")
    ('cuda', 1, 'cuda')
    """

    __slots__ = ()

    def __new__(cls, name: str) -> Device:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise DeviceError(_unknown(name))
        return super().__new__(cls, "cuda" if name == "cuda:0" else name)

    @property
    def kind(self) -> str:
        """The backend's name: "cpu" or "cuda"."""
        return self.partition(":")[0]

    @property
    def number(self) -> int:
        """The number of the device among its kind."""
        return int(self.partition(":")[2] or 0)


class Probe(NamedTuple):
    """What a probe of a GPU found: why it cannot be used (None: it can), and whether that is a surprise here."""

    reason: str | None
    surprising: bool


def resolve(device: str | None = None) -> Device:
    """The device to use: `device`, else that of `use_device`, else TWINGRAD_DEVICE, else the GPU if it works.

    device: "cpu", "cuda", "cuda:1", or None or "auto" for the defaults. A CUDA device is probed before it is returned.
    Automatic choice falls back to the CPU, with a DeviceWarning once if CuPy or an NVIDIA driver is there but unusable;
    TWINGRAD_REQUIRE_GPU=1 makes any such fallback an error.
    Raises DeviceError for a name that is no device, and for a CUDA device that cannot be used.

    >>> resolve("cpu")
    'cpu'
    """
    if device is not None and device != AUTO:
        return _usable(_named(device))
    chosen = _chosen.get()
    if chosen is not None:
        return chosen
    wanted = os.environ.get("TWINGRAD_DEVICE", "").strip()
    if wanted and wanted != AUTO:
        try:
            return _usable(_named(wanted))
        except DeviceError as error:
            raise DeviceError(f"the environment variable TWINGRAD_DEVICE: {error}") from None
    return _automatic()


@contextmanager
def use_device(device: str) -> Iterator[Device]:
    """Make `device` the default within a `with` block, in this thread, and its GPU the one on which CuPy computes.

    "auto" chooses once, at the start of the block.

    Raises DeviceError as `resolve` does, before the block starts.

    >>> with use_device("cpu") as device:
    ...     device == resolve()
    True
    """
    chosen = resolve(device)
    token = _chosen.set(chosen)
    try:
        with computing_on(chosen):
            yield chosen
    finally:
        _chosen.reset(token)


@contextmanager
def computing_on(device: Device) -> Iterator[None]:
    """Have CuPy compute on `device` within a `with` block, in this thread; for the CPU nothing changes.

    CuPy computes on one GPU at a time, at first on number 0, and takes arrays of another not at all, or slowly.
    """
    if device.kind == "cpu":
        yield
        return
    import cupy

    with cupy.cuda.Device(device.number):
        yield


def device_of(array: Any) -> Device:
    """The device where `array` lives: a NumPy array's is "cpu", a CuPy array's "cuda" or "cuda:N".

    Raises DeviceError for an array of any other library.

    >>> import numpy as np
    >>> device_of(np.zeros(3))
    'cpu'
    """
    library = type(array).__module__.partition(".")[0]
    if library == "numpy":
        return Device("cpu")
    if library == "cupy":
        return Device(f"cuda:{int(array.device.id)}")
    raise DeviceError(
        f"arrays of {library} ({type(array).__name__}) have no twingrad device: it knows NumPy's and CuPy's"
    )


def available() -> list[Device]:
    """The devices that can be used here, the automatic choice first. Probes the first GPU."""
    return [*(Device(f"cuda:{i}") for i in range(_count())), Device("cpu")]


def probe(index: int = 0) -> Probe:
    """Whether the NVIDIA GPU number `index` can be used: imports CuPy and runs a kernel and a matrix product on it.

    Takes a few tenths of a second where there is a GPU; the answer holds for the life of the process.
    """
    return _probe(index)


@functools.cache
def _probe(index: int) -> Probe:
    driver = _driver_visible()
    try:
        import cupy
    except ImportError as error:
        return _import_failure(error, driver)
    except Exception as error:
        return Probe(f"CuPy is installed but cannot be imported: {_text(error)}", True)
    return Probe(_trial(cupy, index, driver), True)


def _trial(cupy: Any, index: int, driver: bool) -> str | None:
    """Why CuPy cannot compute on GPU `index`, or None if it just did."""
    if not cupy.cuda.is_available():
        return _no_gpu(cupy, driver)
    count = int(cupy.cuda.runtime.getDeviceCount())
    if index >= count:
        names = ", ".join(Device(f"cuda:{i}") for i in range(count))
        return f"there is no GPU number {index} here: the CUDA devices are {names}"
    try:
        with cupy.cuda.Device(index):
            doubled = cupy.arange(4, dtype="float32") * 2
            product = float((doubled.reshape(2, 2) @ doubled.reshape(2, 2)).sum())
    except Exception as error:
        failed = f"a trial kernel and matrix product on GPU number {index} failed: {_text(error)}"
        return f"{failed}; {_versions(cupy)}; {_libraries(_cuda(cupy), _driver(cupy) // 1000)}"
    return None if product == 88.0 else f"a trial matrix product on GPU number {index} gave {product}, not 88.0"


def _libraries(own: int, newest: int) -> str:
    """How CuPy for CUDA `own` finds its libraries. Of a newer version, up to the driver's `newest`, it takes them first
    where they are there, and its products, which link to its own, then find none.
    """
    if own not in EXTRAS:
        return f"pip uninstall that CuPy, then {INSTALL}"
    brings = f"pip install 'twingrad[cuda{own}]' brings the libraries of that"
    newer = [cuda for cuda in EXTRAS if own < cuda <= newest]
    if not newer:
        return brings
    instead = f"pip uninstall cupy-cuda{own}x and pip install 'twingrad[cuda{newer[-1]}]'"
    return f"{brings}; where those of CUDA {newer[-1]} are installed too, {instead}"


def _no_gpu(cupy: Any, driver: bool) -> str:
    """Why CuPy finds no GPU: no driver, one older than CuPy's CUDA, or no device."""
    failure = _count_failure(cupy)
    known = _driver(cupy) // 1000
    if "InsufficientDriver" in failure and known:
        older = f" or pip uninstall cupy-cuda{_cuda(cupy)}x and pip install 'twingrad[cuda{known}]'"
        older = older if known in EXTRAS else ""
        return f"the NVIDIA driver is too old: {_versions(cupy)}; update the driver (nvidia.com/drivers){older}"
    missing = "finds no GPU" if driver else "finds no NVIDIA driver, which a GPU needs (see nvidia.com/drivers)"
    return f"CuPy {cupy.__version__} is installed but {missing}: {failure}"


def _versions(cupy: Any) -> str:
    major, minor = divmod(_driver(cupy), 1000)
    return f"CuPy {cupy.__version__} is for CUDA {_cuda(cupy)}, the driver for up to {major}.{minor // 10}"


def _driver(cupy: Any) -> int:
    """The newest version of CUDA that the driver runs, 1000 major + 10 minor; 0 where there is none."""
    return int(cupy.cuda.runtime.driverGetVersion())


def _cuda(cupy: Any) -> int:
    """The major version of CUDA that this CuPy is built for."""
    return int(cupy.cuda.runtime.runtimeGetVersion()) // 1000


def _automatic() -> Device:
    found = probe()
    if found.reason is None:
        return Device("cuda")
    if _gpu_required():
        raise DeviceError(f"TWINGRAD_REQUIRE_GPU=1, and no GPU can be used: {found.reason}")
    if found.surprising and found.reason not in _told:
        _told.add(found.reason)
        warnings.warn(f"using the CPU: {found.reason}", DeviceWarning, stacklevel=3)
    return Device("cpu")


def _named(name: str) -> Device:
    """The device of that name where "auto" is allowed too, as the message says."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise DeviceError(_unknown(name, auto=True))
    return Device(name)


def _usable(device: Device) -> Device:
    reason = probe(device.number).reason if device.kind == "cuda" else None
    if reason is not None:
        raise DeviceError(f"the device {device!r} cannot be used: {reason}")
    return device


def _import_failure(error: ImportError, driver: bool) -> Probe:
    if getattr(error, "name", None) != "cupy":
        cure = f"pip uninstall that CuPy (pip list tells its name), then {INSTALL}"
        return Probe(f"CuPy is installed but cannot be imported: {_text(error)}; {cure}", True)
    also = "though there is an NVIDIA driver" if driver else "and no NVIDIA driver was found"
    return Probe(f"CuPy is not installed, {also}; {INSTALL}", driver)


def _count() -> int:
    if probe().reason is not None:
        return 0
    import cupy

    return int(cupy.cuda.runtime.getDeviceCount())


def _count_failure(cupy: Any) -> str:
    try:
        return f"it counts {cupy.cuda.runtime.getDeviceCount()} devices"
    except Exception as error:
        return _text(error)


def _gpu_required() -> bool:
    value = os.environ.get("TWINGRAD_REQUIRE_GPU", "").strip()
    if value not in ("", "0", "1"):
        raise DeviceError(f"the environment variable TWINGRAD_REQUIRE_GPU is 1 or 0; got {value!r}")
    return value == "1"


def _driver_visible() -> bool:
    return any(os.path.exists(path) for path in DRIVER_FILES)


def _unknown(name: object, auto: bool = False) -> str:
    also = ', or "auto"' if auto else ""
    message = f'unknown device {name!r}: a device is "cpu", "cuda" or "cuda:N" with N = 0, 1, ...{also}'
    if not isinstance(name, str):
        return message
    text = name.strip().lower()
    number = re.fullmatch(r"(?:cuda|gpu)[\s:_-]*0*(\d+)", text)
    near = [f"cuda:{number[1]}"] if number else [_ALIASES[text]] if text in _ALIASES else []
    near = near or difflib.get_close_matches(text, ["cpu", "cuda"], n=1, cutoff=0.7)
    return f'{message}; did you mean "{near[0]}"?' if near else message


def _text(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
