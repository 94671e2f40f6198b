"""The exceptions that are twingrad's own; everything else raises Python's (ValueError, TypeError, ...)."""


class TwingradError(Exception):
    """The base of twingrad's own exceptions."""


class DeviceError(TwingradError, ValueError):
    """A device that does not exist, cannot be used, or differs from the arrays' own."""


class PrecisionError(TwingradError, ValueError):
    """A precision that a device, a library of arrays or a model does not have."""


class FusedError(TwingradError, RuntimeError):
    """`fused("require")` met an operation that would have taken the reference path."""


class CaptureError(TwingradError, RuntimeError):
    """A step that cannot be captured, or a captured step called where its recording does not hold."""


class AutodiffError(TwingradError, RuntimeError):
    """A backward pass that cannot be computed: freed tape, overwritten array, no seed."""
