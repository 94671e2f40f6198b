"""Data sets, their splits, their preprocessing and their mini-batches."""

from twingrad.data.batches import batch_bounds, batches
from twingrad.data.by_source import SourceSplits
from twingrad.data.dataset import Dataset, Splits, check_labels
from twingrad.data.load import feature_batches, load
from twingrad.data.loader import loader
from twingrad.data.pictures import sheet_png
from twingrad.data.prefetch import Prefetch
from twingrad.data.preprocessing import Preprocessing, prepare
from twingrad.data.resident import Resident
from twingrad.data.source import BatchSource
from twingrad.data.splitting import SPLITS
from twingrad.data.table import Table, Text
from twingrad.data.tasks import TASKS

__all__ = [
    "SPLITS",
    "TASKS",
    "BatchSource",
    "Dataset",
    "Prefetch",
    "Preprocessing",
    "Resident",
    "SourceSplits",
    "Splits",
    "Table",
    "Text",
    "batch_bounds",
    "batches",
    "check_labels",
    "feature_batches",
    "load",
    "loader",
    "prepare",
    "sheet_png",
]
