"""The options of each command. Nothing here computes or imports anything large: `--help` is quick."""

from __future__ import annotations

from twingrad.cli import values
from twingrad.cli.table import Option

TASKS = ("binary", "multi-class", "multi-label", "regression")
LOSSES = ("auto", "cross_entropy", "binary_cross_entropy", "mean_squared_error", "mean_absolute_error")
ACTIVATIONS = ("relu", "leaky-relu", "sigmoid", "tanh")
SCHEDULES = ("constant", "cosine", "restarts", "cyclic", "inverse", "exponential", "sqrt", "staircase")
TRAIN_LOSSES = ("evaluated", "steps")
PRECISIONS = ("float32", "tf32", "bf16")
OPTIMIZERS = ("sgd", "rmsprop", "adam", "adamw")
DEFAULT_LR = {"sgd": 0.1, "rmsprop": 1e-3, "adam": 3e-3, "adamw": 3e-3}
WIDE = 64
"""From so many features on the default network is the wider one."""
BY_WIDTH = {
    "hidden": ([256, 128], [64, 32]),
    "dropout": (0.4, 0.0),
    "batch_norm": (True, False),
    "batch_size": (64, 32),
    "epochs": (40, 100),
}
"""Defaults for data of at least, and of less than `WIDE` features."""


def _by_width(name: str) -> str:
    wide, narrow = (",".join(map(str, v)) if isinstance(v, list) else v for v in BY_WIDTH[name])
    words = {True: "on", False: "off"}
    told = [words[v] if isinstance(v, bool) else f"{v}" for v in (wide, narrow)]
    return f"{told[0]}; below {WIDE} features {told[1]}"


DEVICES = "cpu, cuda, cuda:1, or auto: what TWINGRAD_DEVICE says, else a GPU that works, else the CPU"
FILES = (
    "digits, fashion-mnist, a .csv, .tsv, .npz or .npy file (.csv and .tsv also .gz), a folder with MNIST's four idx "
    "files, or a pair: x.npy,y.npy or images,labels"
)

DATA = (
    Option("data", values.files, FILES, "digits", "SPEC"),
    Option(
        "target",
        values.names,
        "column or columns to predict; a name that holds a comma in double quotes",
        None,
        "NAME,...",
        "target, label, class or y",
    ),
    Option("features", values.names, "columns to learn from", None, "NAME,...", "all the others"),
    Option("task", values.one_of("task", TASKS), ", ".join(TASKS), None, "TASK", "told by the targets"),
    Option("categories", values.names, "columns whose numbers are names", None, "NAME,...", "none"),
    Option("delimiter", values.character, "of a CSV file", None, "C", '",", a tab for .tsv'),
    Option(
        "encoding", values.one_of("encoding", ("one-hot", "ordinal")), "of text: one-hot or ordinal", "one-hot", "NAME"
    ),
    Option(
        "unknown",
        values.one_of("value", ("error", "zeros")),
        "for a text that the train part lacks: an error, or zeros, none of its categories",
        "error",
        "NAME",
    ),
    Option(
        "scaling",
        values.one_of("scaling", ("auto", "none", "pixels", "standardise")),
        "of features: none, pixels (by 255), standardise; auto chooses by the data",
        "auto",
        "NAME",
    ),
    Option("scale_targets", None, "scale the targets of a regression to mean 0 and deviation 1", True),
    Option(
        "split",
        values.shares,
        "shares of train, dev and test",
        None,
        "A,B,C",
        "0.6,0.2,0.2; 0.9,0.1 beside a test part",
    ),
    Option("stratify", None, "let each class keep its share in each part", True),
)
NETWORK = (
    Option("hidden", values.widths, 'widths of the hidden layers, or "none"', None, "W,...", _by_width("hidden")),
    Option("activation", values.one_of("activation", ACTIVATIONS), ", ".join(ACTIVATIONS), "relu", "NAME"),
    Option(
        "dropout", values.below_one, "probability to drop a hidden unit, in [0, 1)", None, "P", _by_width("dropout")
    ),
    Option("batch_norm", None, "batch normalisation after each hidden Linear", None, "", _by_width("batch_norm")),
)
TRAINING = (
    Option("loss", values.one_of("loss", LOSSES), ", ".join(LOSSES), "auto", "NAME"),
    Option("optimizer", values.one_of("optimizer", OPTIMIZERS), ", ".join(OPTIMIZERS), "adam", "NAME"),
    Option(
        "lr",
        values.positive,
        "learning rate",
        None,
        "RATE",
        ", ".join(f"{name} {rate:g}" for name, rate in DEFAULT_LR.items()),
    ),
    Option("momentum", values.below_one, "of sgd and rmsprop", 0.0, "BETA"),
    Option("beta1", values.below_one, "of adam and adamw: decay of the first moment", None, "BETA", "0.9"),
    Option("beta2", values.below_one, "of adam and adamw: decay of the second moment", None, "BETA", "0.999"),
    Option("nesterov", None, "Nesterov's momentum, of sgd", False, told="off"),
    Option("weight_decay", values.not_negative, "L2 penalty; of adamw decoupled", None, "LAMBDA", "0; adamw 0.01"),
    Option("l1", values.not_negative, "L1 penalty, which makes weights exactly 0", 0.0, "LAMBDA"),
    Option("clip_norm", values.positive, "largest norm of the gradient", None, "NORM", "none"),
    Option("clip_value", values.positive, "largest element of the gradient", None, "VALUE", "none"),
    Option(
        "ema", values.below_one, "decay of an average of the weights, which is measured and kept", None, "DECAY", "none"
    ),
    Option("schedule", values.one_of("schedule", SCHEDULES), ", ".join(SCHEDULES), "constant", "NAME"),
    Option(
        "decay",
        values.not_negative,
        "of a schedule: the rate of inverse, base of exponential, k of sqrt, factor of staircase",
        None,
        "D",
        "inverse 1, exponential 0.95, sqrt 1, staircase 0.5",
    ),
    Option(
        "decay_epochs", values.count(1), "epochs of a step of staircase, of a cycle of restarts and cyclic", 10, "N"
    ),
    Option("warmup", values.count(0), "epochs over which the rate rises from 0", 0, "N"),
    Option("batch_size", values.count(1), "examples in a mini-batch", None, "N", _by_width("batch_size")),
    Option("accumulate", values.count(1), "mini-batches whose gradients make one update", 1, "N"),
    Option("epochs", values.count(0), "passes over the training data", None, "N", _by_width("epochs")),
    Option("early_stopping", values.count(1), "stop after so many evaluations without a better one", None, "N", "off"),
    Option("evaluate_every", values.count(1), "measure every so many updates", None, "N", "each epoch"),
    Option(
        "train_loss",
        values.one_of("train_loss", TRAIN_LOSSES),
        "evaluated, by a pass of its own; or of the steps, which costs no time and tells no other metric",
        "evaluated",
        "NAME",
    ),
    Option("class_weight", values.class_weight, "weights of the classes, or balanced", None, "W,...", "none"),
    Option("label_smoothing", values.below_one, "share of a label spread over all classes, in [0, 1)", 0.0, "S"),
    Option("seed", values.count(0, 2**64), "seed of initial weights, dropout, split and shuffles", 0, "N"),
    Option("device", values.text, DEVICES, "auto", "NAME"),
    Option(
        "precision",
        values.one_of("precision", PRECISIONS),
        "float32; tf32, for faster products on a GPU; or bf16, which stores activations in bfloat16 too",
        "float32",
        "NAME",
    ),
)
RESIDENT = {"auto": None, "yes": True, "no": False}
OUTPUT = (
    Option("checkpoint_every", values.interval, "updates, or a time like 30s, 10min; or never", "30s", "N"),
    Option(
        "resident",
        values.one_of("resident", RESIDENT),
        "whether a GPU holds the whole data set: yes, no; auto decides by its free memory",
        "auto",
        "NAME",
        kept=False,
    ),
    Option(
        "threads",
        values.count(1, 257),
        "threads of the CPU kernels; results do not depend on them, so the run folder does not tell",
        None,
        "N",
        "the processors",
        kept=False,
    ),
    Option("out", values.path, "new or empty run folder", None, "FOLDER", "the next runs/DATA-N", kept=False),
    Option(
        "config",
        values.path,
        "TOML file with any of these options; the command line goes before",
        None,
        "FILE",
        "none",
        kept=False,
    ),
    Option(
        "resume",
        values.path,
        "go on with a run that was cut short, as if nothing had happened; or for more --epochs",
        None,
        "RUN",
        "none",
        kept=False,
    ),
    Option(
        "json", None, "end standard output with one JSON object; the table goes to standard error", False, kept=False
    ),
    Option("quiet", None, "no progress bar, no table", False, kept=False),
)
TRAIN = {"data": DATA, "network": NETWORK, "training": TRAINING, "output": OUTPUT}
TRAIN_OPTIONS = tuple(option for group in TRAIN.values() for option in group)
CHANGEABLE = ("epochs", "device")
WITH_RESUME = ("resume", *CHANGEABLE, "resident", "threads", "json", "quiet")
"""What may be given beside --resume, more epochs and another device among it: the rest is the run's."""

STRATEGIES = ("random", "grid", "coarse-to-fine", "tpe")
METRICS = ("accuracy", "exact_match", "loss", "r2", "rmse", "mae")
SPACE = (
    "what is searched: names of hyperparameters, each with a scale as in lr=log:0.0001:1, momentum=beta:0.9:0.999, "
    "dropout=uniform:0:0.5, layers=int:1:4, units=intlog:16:256, activation=relu|tanh, or with none for the usual one"
)
SEARCH = (
    Option("trials", values.count(1), "how many settings are tried", 20, "N"),
    Option("strategy", values.one_of("strategy", STRATEGIES), ", ".join(STRATEGIES), "random", "NAME"),
    Option("space", values.names, SPACE, None, "NAME=SCALE,...", "the first of the usual hyperparameters"),
    Option("first", values.count(1), "so many of the usual ones, in their order of importance", 4, "N"),
    Option(
        "metric",
        values.one_of("metric", METRICS),
        f"of the dev part: {', '.join(METRICS)}",
        None,
        "NAME",
        "accuracy, loss for a regression",
    ),
    Option("prune", None, "give up trials that fall behind the median", True),
    Option("workers", values.count(1), "processes at work at a time", 1, "N"),
    Option("out", values.path, "new or empty folder", None, "FOLDER", "the next runs/tune-DATA-N", kept=False),
    Option("config", values.path, "TOML file with any options of `train`", None, "FILE", "none", kept=False),
    Option("resume", values.path, "go on with a search that was cut short", None, "FOLDER", "none", kept=False),
    Option(
        "json", None, "end standard output with one JSON object; the table goes to standard error", False, kept=False
    ),
    Option("quiet", None, "no progress, no table", False, kept=False),
)
TUNE = {"search": SEARCH, "data": DATA, "network": NETWORK, "training": TRAINING}
TUNE_OPTIONS = tuple(option for group in TUNE.values() for option in group)
WITH_TUNE_RESUME = ("resume", "trials", "workers", "json", "quiet")
"""What may be given beside --resume: the rest is the search's."""

COLUMNS = "the model's columns, where a file has others too; or the array of an .npz file"
DEVICE = Option("device", values.text, DEVICES, "auto", "NAME")
FILE_OPTIONS = (
    Option("delimiter", values.character, "of a CSV file", None, "C", '",", a tab for .tsv'),
    DEVICE,
)
PARTS = ("train", "dev", "test", "all")
EVALUATE_OPTIONS = (
    Option("data", values.files, FILES, None, "SPEC", "the run's own, in its parts"),
    Option(
        "part",
        values.one_of("part", PARTS),
        "train, dev, test or all: of the run's own data, or of data with a test part",
        None,
        "NAME",
        "all of the run's own; of others test, where there is one",
    ),
    Option("target", values.names, "column or columns to compare with", None, "NAME,...", "the run's"),
    Option("features", values.names, COLUMNS, None, "NAME,...", "all but the target"),
    *FILE_OPTIONS,
    Option(
        "by_class",
        None,
        "precision, recall and F1 of each class or label with 95% intervals, and the confusion matrix",
        False,
    ),
    Option("json", None, "one JSON object instead of the table", False),
)
PREDICT_OPTIONS = (
    Option("data", values.files, f"{FILES}; targets are not needed", None, "SPEC"),
    Option("features", values.names, COLUMNS, None, "NAME,...", "all; told by its name"),
    *FILE_OPTIONS,
    Option("out", values.path, "a .csv or .jsonl file, written whole or not at all", None, "FILE", "standard output"),
    Option("probabilities", None, "the probability of each class or label too", False),
    Option("top_k", values.count(1), "the k most probable classes or labels, with probabilities", None, "K", "none"),
    Option("batch_size", values.count(1), "rows that are held at a time", 1024, "N"),
    Option("json", None, "JSON lines on standard output; with --out one JSON object about the file", False),
)
SUITES = ("cpu", "kernels", "step")
BENCH_OPTIONS = (
    Option("suite", values.one_of("suite", SUITES), "cpu (all), kernels (optimizers too), or step", "cpu", "NAME"),
    Option("out", values.path, "folder for the result, a JSON file with a number of its own", "bench", "FOLDER"),
    Option("compare", values.path, "an earlier result: tell what became slower", None, "OLD.json", "none"),
    Option("quick", None, "few rounds, and no large cases", False),
    Option("json", None, "end standard output with one JSON object; the tables go to standard error", False),
)
GRADCHECK = {
    "data": DATA,
    "network": NETWORK,
    "training": (
        *(option for option in TRAINING if option.name != "epochs"),
        Option("epochs", values.count(0), "train so many before the check; 0: at the initial weights", 0, "N"),
    ),
    "check": (
        Option("epsilon", values.positive, "step of the differences", 1e-6, "E"),
        Option("limit", values.count(0), "parameters of more elements are checked along random directions", 1000, "N"),
        Option("samples", values.count(1), "so many directions for each of these", 30, "K"),
        Option("eval", None, "in evaluation mode: running statistics, no dropout", False),
        next(option for option in OUTPUT if option.name == "config"),
        Option("json", None, "one JSON object instead of the table", False),
    ),
}
WITH_RUN = ("data", "target", "features", "delimiter", "batch_size", "seed", "device", "json")
"""What may be given beside the run whose gradients are checked: the rest is the run's."""
