"""Data sets, their splits, their preprocessing and their mini-batches."""

from twingrad.data.batches import batch_bounds, batches
from twingrad.data.dataset import Dataset, Splits, check_labels
from twingrad.data.load import load
from twingrad.data.loader import loader
from twingrad.data.prefetch import Prefetch
from twingrad.data.preprocessing import Preprocessing, prepare
from twingrad.data.table import Table, Text
from twingrad.data.tasks import TASKS

__all__ = [
    "TASKS",
    "Dataset",
    "Prefetch",
    "Preprocessing",
    "Splits",
    "Table",
    "Text",
    "batch_bounds",
    "batches",
    "check_labels",
    "load",
    "loader",
    "prepare",
]
