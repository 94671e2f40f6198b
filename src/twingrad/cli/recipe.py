"""From resolved options to data, network, optimizer and schedule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twingrad.cli.options import BY_WIDTH, DEFAULT_LR, TRAIN_OPTIONS, WIDE
from twingrad.cli.schedules import learning_rate
from twingrad.cli.table import read_toml
from twingrad.data import Dataset, Preprocessing, Splits, load
from twingrad.data.load import kind_of
from twingrad.train import dense
from twingrad.train.checks import OPTIMIZERS

COMMAND = "train"
Values = dict[str, Any]
LOAD = ("target", "features", "task", "categories", "delimiter")


def resolved(given: Values, config: Path | None = None) -> tuple[Values, Dataset]:
    """Every option's value: from the command line, the TOML file, or by default; and the data, which some depend on."""
    values = {option.name: option.default for option in TRAIN_OPTIONS if option.kept}
    written = read_toml(config, TRAIN_OPTIONS, COMMAND) if config else {}
    values |= written
    values |= {name: value for name, value in given.items() if name in values}
    data = load_data(values)
    if "task" in written and "task" not in given and data.task_reason == "asked for":
        data = data.because(f"by {config}")
    values["data"] = named_fully(values["data"])
    values["task"] = data.task
    unsaid = values["batch_size"] is None
    for name, (wide, narrow) in BY_WIDTH.items():
        if values[name] is None:
            values[name] = wide if data.features >= WIDE else narrow
    if unsaid:
        values["batch_size"] = min(values["batch_size"], max(1, len(split(values, data).train)))
    if values["lr"] is None:
        values["lr"] = DEFAULT_LR[values["optimizer"]]
    return values, data


def named_fully(spec: str) -> str:
    """A data set's name, or the absolute path of each file."""
    kind, paths = kind_of(spec)
    return spec if kind == "named" else ",".join(str(path.resolve()) for path in paths)


def load_data(values: Values) -> Dataset:
    """The data set."""
    return load(values["data"], **{name: values[name] for name in LOAD if values.get(name) is not None})


def split(values: Values, data: Dataset) -> Splits:
    """Its three parts."""
    shares = values.get("split")
    if shares and data.own_test and len(shares) == 3 and shares[2] == 0:
        shares = shares[:2]
    parts = data.split(*(shares or ()), seed=values["seed"], stratify=values["stratify"])
    if not len(parts.train):
        raise ValueError(f"--split leaves none of {len(data)} examples to train on")
    return parts


def fit_preprocessing(values: Values, train: Dataset) -> Preprocessing:
    """What makes the network's numbers of raw examples, fitted on the train part."""
    names = ("scaling", "encoding", "unknown", "scale_targets")
    return Preprocessing.fit(train, **{name: values[name] for name in names})


def make_model(values: Values, preprocessing: Preprocessing, outputs: int) -> Any:
    """The network."""
    names = ("hidden", "activation", "dropout", "batch_norm", "seed")
    return dense(preprocessing.width, outputs, **{name: values[name] for name in names})


def make_optimizer(values: Values, train: Dataset) -> Any:
    """The optimizer, with the options that it takes, and the schedule of its learning rate.

    Raises:
        ValueError: an option that it does not take.
    """
    kind: Any = OPTIMIZERS[values["optimizer"]]
    takes = [name for name in UNSET if name in kind.options]
    batches = -(-len(train) // values["batch_size"])
    given: Values = {"lr": learning_rate(values, -(-batches // values["accumulate"]))}
    for name, unset in UNSET.items():
        if values[name] == unset:
            continue
        if name not in takes:
            flag = "--" + name.replace("_", "-")
            told = ", ".join("--" + each.replace("_", "-") for each in takes)
            raise ValueError(f"{flag} does not apply to {values['optimizer']}, which takes {told}")
        given[name] = values[name]
    return kind(**given)


UNSET = {
    "momentum": 0.0,
    "beta1": None,
    "beta2": None,
    "nesterov": False,
    "weight_decay": None,
    "l1": 0.0,
    "clip_norm": None,
    "clip_value": None,
    "ema": None,
}
"""What leaves an optimizer's option at its own default."""


FIT = (
    "loss",
    "epochs",
    "batch_size",
    "seed",
    "accumulate",
    "evaluate_every",
    "train_loss",
    "checkpoint_every",
    "class_weight",
    "label_smoothing",
    "precision",
)
"""The options that are arguments of `fit`."""


def fit_options(values: Values) -> Values:
    """The arguments of `fit` that are not the model, the data and the folder."""
    return {name: values[name] for name in FIT}
