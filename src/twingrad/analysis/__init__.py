"""What to look at, and what to do next: signals within a network, and the errors of a system.

Numbers may be of any library, on any device, or plain lists; the reports are made on the host.
"""

from twingrad.analysis.classes import ClassReport, class_report, confusion_matrix, f1_score
from twingrad.analysis.gaps import Diagnosis, Gap, diagnose
from twingrad.analysis.groups import GroupErrors, best_system, error_by_group, weighted_error
from twingrad.analysis.intervals import Comparison, Interval, compare, wilson
from twingrad.analysis.learning import LearningCurve, learning_curve
from twingrad.analysis.mistakes import MISLABELLED, ErrorAnalysis, Tag, error_analysis
from twingrad.analysis.signals import LayerSignal, SignalReport, signal_report
from twingrad.analysis.thresholds import Threshold, threshold_at

__all__ = [
    "MISLABELLED",
    "ClassReport",
    "Comparison",
    "Diagnosis",
    "ErrorAnalysis",
    "Gap",
    "GroupErrors",
    "Interval",
    "LayerSignal",
    "LearningCurve",
    "SignalReport",
    "Tag",
    "Threshold",
    "best_system",
    "class_report",
    "compare",
    "confusion_matrix",
    "diagnose",
    "error_analysis",
    "error_by_group",
    "f1_score",
    "learning_curve",
    "signal_report",
    "threshold_at",
    "weighted_error",
    "wilson",
]
