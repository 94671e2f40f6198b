"""twingrad: one code, two devices. Layers, batch norm, dropout and Adam for NumPy and CuPy, fused kernels on both."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from twingrad import data, devices, functional, info, nn, optim, random, train, xp
from twingrad.autodiff import (
    Tensor,
    checkpoint,
    custom_rule,
    grad,
    hvp,
    jacobian,
    jvp,
    no_grad,
    value_and_grad,
    vjp,
)
from twingrad.capture import CaptureWarning, capture
from twingrad.devices import use_device
from twingrad.errors import AutodiffError, CaptureError, DeviceError, FusedError, PrecisionError, TwingradError
from twingrad.fusable import fused, fused_report
from twingrad.info import show_config
from twingrad.precision import use_precision
from twingrad.threads import use_threads
from twingrad.train import fit

if TYPE_CHECKING:
    from twingrad import adversarial, analysis, augment, gan, gradcheck, tune
    from twingrad.gradcheck import check_grads

__version__ = "0.1.0"

__all__ = [
    "AutodiffError",
    "CaptureError",
    "CaptureWarning",
    "DeviceError",
    "FusedError",
    "PrecisionError",
    "Tensor",
    "TwingradError",
    "adversarial",
    "analysis",
    "augment",
    "capture",
    "check_grads",
    "checkpoint",
    "custom_rule",
    "data",
    "devices",
    "fit",
    "functional",
    "fused",
    "fused_report",
    "gan",
    "grad",
    "gradcheck",
    "hvp",
    "info",
    "jacobian",
    "jvp",
    "nn",
    "no_grad",
    "optim",
    "random",
    "show_config",
    "train",
    "tune",
    "use_device",
    "use_precision",
    "use_threads",
    "value_and_grad",
    "vjp",
    "xp",
]

_AT_FIRST_USE = {"adversarial", "analysis", "augment", "gan", "gradcheck", "tune"}
"""The packages beside training, which are imported when they are named: `import twingrad` stays quick."""


def __getattr__(name: str) -> Any:
    if name in _AT_FIRST_USE:
        return import_module(f"twingrad.{name}")
    if name == "check_grads":
        return import_module("twingrad.gradcheck").check_grads
    raise AttributeError(f"module 'twingrad' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
