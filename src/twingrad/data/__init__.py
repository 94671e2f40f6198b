"""Data sets, their splits and their mini-batches."""

from .batches import batch_bounds, batches
from .dataset import Dataset, Splits, check_labels
from .load import load

__all__ = ["Dataset", "Splits", "batch_bounds", "batches", "check_labels", "load"]
