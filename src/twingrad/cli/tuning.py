"""From the options of `twingrad tune` to a space, an objective and the best configuration."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from twingrad.choice import choose
from twingrad.cli import recipe
from twingrad.cli.options import TRAIN_OPTIONS
from twingrad.cli.schedules import DECAY
from twingrad.data import Preprocessing, Splits
from twingrad.train import EarlyStopping, fit
from twingrad.tune import Choice, Integers, LogUniform, OneMinusLogUniform, Report, Scale, Uniform, default_space
from twingrad.tune.space import DEFAULT

Space = dict[str, Scale]
KINDS: dict[str, Callable[[float, float], Scale]] = {
    "uniform": Uniform,
    "log": LogUniform,
    "beta": OneMinusLogUniform,
    "int": lambda low, high: Integers(_whole(low), _whole(high)),
    "intlog": lambda low, high: Integers(_whole(low), _whole(high), log=True),
}
MORE_IS_BETTER = ("accuracy", "exact_match", "r2")
METRICS = {
    "binary": ("accuracy", "loss"),
    "multi-class": ("accuracy", "loss"),
    "multi-label": ("accuracy", "exact_match", "loss"),
    "regression": ("loss", "r2", "rmse", "mae"),
}
"""What can be compared in each task, the usual one first."""
SHAPE = {"units": 1, "layers": 1}
"""What is no option by itself: the widths and the number of hidden layers, which make --hidden."""
FIXED = ("data", "target", "features", "task", "categories", "delimiter", "split", "seed", "device", "loss", "hidden")
"""Options that are no hyperparameters, or are searched under other names."""
LARGEST = DEFAULT["batch_size"].high  # type: ignore[attr-defined]
KNOWN = {option.name: option for option in TRAIN_OPTIONS if option.kept and option.name not in FIXED}


def space_of(asked: list[str] | None, first: int, given: Mapping[str, Any], optimizer: str, examples: int) -> Space:
    """The space that --space tells; else the first of the usual hyperparameters, without those that are given.

    examples: to train on; batches are no larger.

    Raises:
        ValueError: an unknown hyperparameter or scale, ends that its option refuses, one that is given as well.
    """
    if asked is None:
        fixed = {*given, *(SHAPE if "hidden" in given else ())}
        usual = default_space(optimizer)
        if first > len(usual):
            raise ValueError(f"--first must be at most {len(usual)}, all the usual ones with {optimizer}; got {first}")
        usual = {name: scale for name, scale in usual.items() if name not in fixed}
        if "batch_size" in usual and examples < LARGEST:
            usual["batch_size"] = Integers(2, max(3, examples), log=True)
        found = dict(list(usual.items())[:first])
    else:
        scaled = [_scaled(text) for text in asked]
        found = dict(scaled)
        if len(found) < len(scaled):
            twice = next(name for name in found if [each for each, _ in scaled].count(name) > 1)
            raise ValueError(f"--space: {twice} is given twice; leave one of them out")
        both = [name for name in found if name in given or (name in SHAPE and "hidden" in given)]
        if both:
            raise ValueError(f"--space: {both[0]} is given by an option of its own as well; leave one of them out")
    if not found:
        raise ValueError("nothing is left to search: every usual hyperparameter is given; name others with --space")
    for name, scale in found.items():
        for value in scale.grid(2):
            _parsed(name, str(value))
            if name == "batch_size" and value > examples:
                raise ValueError(f"--space: batch_size must not exceed the {examples} training examples; got {value}")
    return found


def metric_of(asked: str | None, task: str) -> str:
    """The metric that is compared; ValueError for one that the task does not measure."""
    if asked not in (None, *METRICS[task]):
        raise ValueError(f"--metric {asked} is not measured for a {task} task, which has {', '.join(METRICS[task])}")
    return asked or METRICS[task][0]


def told(space: Space) -> list[str]:
    """The space as --space takes it."""
    return [f"{name}={_told(scale)}" for name, scale in space.items()]


def applied(values: recipe.Values, point: Mapping[str, Any]) -> recipe.Values:
    """The options of `train` with the hyperparameters of a trial: units and layers make hidden, decay a schedule."""
    found = values | {name: value for name, value in point.items() if name not in SHAPE}
    if "decay" in point and values["schedule"] not in DECAY:
        found["schedule"] = "inverse"
    if SHAPE.keys() & point.keys():
        hidden = values["hidden"] or [1]
        found["hidden"] = [point.get("units", hidden[0])] * point.get("layers", len(hidden))
    return found


class Objective:
    """A trial as `twingrad train` would run it: the metric of the dev part at the best evaluation."""

    def __init__(self, values: recipe.Values, metric: str) -> None:
        self.values, self.metric = values, metric
        self._data: tuple[Splits, Preprocessing] | None = None

    def __call__(self, point: dict[str, Any], report: Report) -> float:
        parts, preprocessing = self.data()
        values = applied(self.values, point)
        stopping = [EarlyStopping(values["early_stopping"])] if values["early_stopping"] else []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of one trial; `train` tells them again
            history = fit(
                recipe.make_model(values, preprocessing, parts.train.outputs),
                parts,
                optimizer=recipe.make_optimizer(values, parts.train),
                preprocessing=preprocessing,
                device=values["device"],
                callbacks=[*stopping, report.watch(f"dev_{self.metric}")],
                **recipe.fit_options(values),
            )
        return float(getattr(history.best, f"dev_{self.metric}"))

    def data(self) -> tuple[Splits, Preprocessing]:
        """The parts and the preprocessing, loaded once in each process."""
        if self._data is None:
            parts = recipe.split(self.values, recipe.load_data(self.values))
            self._data = parts, recipe.fit_preprocessing(self.values, parts.train)
        return self._data

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_data": None}


def _scaled(text: str) -> tuple[str, Scale]:
    name, _, scale = text.partition("=")
    name = name.strip().replace("-", "_")
    choose("hyperparameter of --space", name, [*KNOWN, *SHAPE])
    if not scale:
        if name not in DEFAULT:
            raise ValueError(f"--space: {name} has no usual scale; give one, as in {name}=uniform:0:1")
        return name, DEFAULT[name]
    kind, *ends = scale.split(":")
    values = [] if ends else [_parsed(name, each) for each in scale.split("|")]
    try:
        return name, _between(kind, ends) if ends else Choice(*values)
    except ValueError as error:
        raise ValueError(f"--space: {name}: {error}") from None


def _between(kind: str, ends: list[str]) -> Scale:
    try:
        low, high = (float(end) for end in ends)
    except ValueError:
        raise ValueError(f"a scale must be KIND:LOW:HIGH or A|B|C; got {':'.join([kind, *ends])!r}") from None
    return KINDS[choose("scale", kind, KINDS)](low, high)


def _parsed(name: str, text: str) -> Any:
    """A value as its option makes it of text."""
    option = KNOWN.get(name)
    try:
        if option is None:
            from twingrad.cli.values import count

            return count(SHAPE[name])(text)
        if option.parse is None:
            return {"on": True, "true": True, "off": False, "false": False}[text.lower()]
        return option.parse(text)
    except KeyError:
        raise ValueError(f"--space: {name} must be on or off; got {text!r}") from None
    except ValueError as error:
        raise ValueError(f"--space: {name} {error}") from None


def _whole(end: float) -> int:
    if end != int(end):
        raise ValueError(f"int and intlog take whole numbers; got {end:g}")
    return int(end)


def _told(scale: Any) -> str:
    if isinstance(scale, Choice):
        return "|".join({True: "on", False: "off"}.get(value, str(value)) for value in scale.values)
    kinds = {Uniform: "uniform", LogUniform: "log", OneMinusLogUniform: "beta", Integers: "int"}
    return f"{kinds[type(scale)]}{'log' * getattr(scale, 'log', False)}:{scale.low!r}:{scale.high!r}"
