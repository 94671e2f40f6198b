"""The captured step: run a training step once, then replay its kernels without Python."""

from twingrad.capture.step import CapturedStep, CaptureWarning, capture

__all__ = ["CaptureWarning", "CapturedStep", "capture"]
