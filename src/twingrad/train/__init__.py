"""Training: `fit`, its history and callbacks, checkpoints, evaluation, and run folders."""

from twingrad.train.atomic import SaveError
from twingrad.train.callbacks import Callback, EarlyStopping, Run
from twingrad.train.checkpoint import Checkpoint
from twingrad.train.diverged import Diverged
from twingrad.train.ensemble import Ensemble, Snapshots
from twingrad.train.evaluate import evaluate
from twingrad.train.fit import fit
from twingrad.train.history import History, Record
from twingrad.train.interrupt import Interrupted
from twingrad.train.metrics import Evaluation
from twingrad.train.model_file import load_model, save_model
from twingrad.train.network import dense
from twingrad.train.predict import predict, predict_probabilities
from twingrad.train.progress import Progress
from twingrad.train.range_test import RangeTest, lr_range_test
from twingrad.train.run_folder import RunFolder

__all__ = [
    "Callback",
    "Checkpoint",
    "Diverged",
    "EarlyStopping",
    "Ensemble",
    "Evaluation",
    "History",
    "Interrupted",
    "Progress",
    "RangeTest",
    "Record",
    "Run",
    "RunFolder",
    "SaveError",
    "Snapshots",
    "dense",
    "evaluate",
    "fit",
    "load_model",
    "lr_range_test",
    "predict",
    "predict_probabilities",
    "save_model",
]
