"""twingrad: one code, two devices. Layers, batch norm, dropout and Adam for NumPy and CuPy, fused kernels on both."""

from twingrad import (
    adversarial,
    analysis,
    augment,
    data,
    devices,
    functional,
    gradcheck,
    info,
    nn,
    optim,
    random,
    train,
    tune,
    xp,
)
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
from twingrad.gradcheck import check_grads
from twingrad.info import show_config
from twingrad.precision import use_precision
from twingrad.threads import use_threads
from twingrad.train import fit

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
