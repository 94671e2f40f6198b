"""What to look at, and what to do next: signals in a network, errors of a system."""

from twingrad.analysis.signals import LayerSignal, SignalReport, signal_report

__all__ = ["LayerSignal", "SignalReport", "signal_report"]
