"""Gradient checking as the course teaches it: gradients beside two-sided differences, and a verdict by parameter."""

from twingrad.gradcheck.check import check_grads
from twingrad.gradcheck.report import Checked, GradientReport

__all__ = ["Checked", "GradientReport", "check_grads"]
