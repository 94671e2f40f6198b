"""Training: `fit`, its history and callbacks, evaluation, and run folders."""

from twingrad.train.callbacks import Callback, Run
from twingrad.train.evaluate import Evaluation, evaluate
from twingrad.train.fit import fit
from twingrad.train.history import History, Record
from twingrad.train.interrupt import Interrupted
from twingrad.train.model_file import load_model, save_model
from twingrad.train.network import dense
from twingrad.train.progress import Progress
from twingrad.train.run_folder import RunFolder

__all__ = [
    "Callback",
    "Evaluation",
    "History",
    "Interrupted",
    "Progress",
    "Record",
    "Run",
    "RunFolder",
    "dense",
    "evaluate",
    "fit",
    "load_model",
    "save_model",
]
