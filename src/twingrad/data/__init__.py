"""Data sets, their splits and their mini-batches."""

from twingrad.data.batches import batch_bounds, batches
from twingrad.data.dataset import Dataset, Splits, check_labels
from twingrad.data.load import load

__all__ = ["Dataset", "Splits", "batch_bounds", "batches", "check_labels", "load"]
