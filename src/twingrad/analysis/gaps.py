"""From human level to the real world: which gap is large, what it is called, and what helps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from twingrad.analysis.table import aligned, percent
from twingrad.functional.checks import number

BIAS, VARIANCE, MISMATCH = "avoidable bias", "variance", "data mismatch"
OVERFITTING, OFF_TARGET, EITHER = "overfitting to dev", "off target", "variance or data mismatch"
REMEDIES: dict[str, tuple[str, ...]] = {
    BIAS: (
        "train a bigger network",
        "train longer, or with a better optimizer: momentum, RMSprop, Adam",
        "search for a better architecture and hyperparameters",
    ),
    VARIANCE: (
        "get more training data, or augment what there is",
        "regularise: L2, dropout, early stopping",
        "search for a better architecture and hyperparameters",
    ),
    MISMATCH: (
        "look at mistakes on dev to learn how its data differ from the training data",
        "make training data more alike: collect data like dev's, or synthesise them",
    ),
    OVERFITTING: ("get a bigger dev set",),
    OFF_TARGET: ("change the dev and test set, or the metric: they do not measure what is wanted",),
    EITHER: ("carve a train-dev set out of the training data, which tells variance from mismatch",),
}
"""What helps against each gap, in the order in which to try it."""
LEAST = 0.02
ROUNDING = 1e-9


@dataclass(frozen=True)
class Gap:
    """What one error is larger than the one before it in the chain.

    name: what a large one is called. lower, upper: the errors' names. value: their difference.
    large: whether it needs work. told: what a negative one says, else "".
    """

    name: str
    lower: str
    upper: str
    value: float
    large: bool
    told: str


@dataclass(frozen=True)
class Diagnosis:
    """The chain of errors and its gaps; `str` of it is the course's table.

    errors: by name, from the human level on. bayes: who gives the least human error, the proxy for Bayes error.
    gaps: in the order of the chain, which is the order to work on them.
    """

    errors: dict[str, float]
    bayes: str
    gaps: tuple[Gap, ...]

    @property
    def named(self) -> tuple[str, ...]:
        """The names of the gaps that need work, in the order of the chain."""
        return tuple(gap.name for gap in self.gaps if gap.large)

    @property
    def focus(self) -> str | None:
        """The name of the largest gap of those; None where none needs work."""
        large = [gap for gap in self.gaps if gap.large]
        return max(large, key=lambda gap: round(gap.value, 9)).name if large else None

    @property
    def remedies(self) -> dict[str, tuple[str, ...]]:
        """What helps, by the names of the gaps that need work, each in the order in which to try it."""
        return {name: REMEDIES[name] for name in self.named}

    def gap(self, name: str) -> float | None:
        """The value of a gap; None where the errors around it are not known."""
        return next((gap.value for gap in self.gaps if gap.name == name), None)

    @property
    def avoidable_bias(self) -> float | None:
        """Train error less the Bayes proxy."""
        return self.gap(BIAS)

    @property
    def variance(self) -> float | None:
        """Train-dev error less train error; without a train-dev set dev error less train error."""
        return self.gap(VARIANCE)

    @property
    def mismatch(self) -> float | None:
        """Dev error less train-dev error."""
        return self.gap(MISMATCH)

    @property
    def overfitting_to_dev(self) -> float | None:
        """Test error less dev error."""
        return self.gap(OVERFITTING)

    @property
    def off_target(self) -> float | None:
        """The real world's error less the test error."""
        return self.gap(OFF_TARGET)

    def __str__(self) -> str:
        human = f"human level ({self.bayes})" if self.bayes else "human level"
        rows = [["error of", "", "gap", "which is"], [human, percent(self.errors["human level"]), "", ""]]
        for gap in self.gaps:
            sign = "+" if gap.value > ROUNDING else ""
            what = gap.told or (gap.name if gap.large else f"{gap.name}, small")
            rows.append([gap.upper, percent(self.errors[gap.upper]), f"{sign}{percent(gap.value)}", what])
        lines = aligned([row[:3] for row in rows])
        lines = [f"{line:<{max(map(len, lines))}}  {row[3]}".rstrip() for line, row in zip(lines, rows, strict=True)]
        for name, remedies in self.remedies.items():
            lines += [f"against {name}:", *(f"  {number}. {each}" for number, each in enumerate(remedies, 1))]
        return "\n".join(lines)


def diagnose(
    *,
    human: float | Mapping[str, float],
    train: float,
    dev: float,
    train_dev: float | None = None,
    test: float | None = None,
    real_world: float | None = None,
    same_distribution: bool = True,
    least: float = LEAST,
) -> Diagnosis:
    """Where the error comes from, by the differences of neighbours in the chain:

        human level -> train: avoidable bias -> train-dev: variance -> dev: data mismatch -> test: overfitting to dev
        -> real world: off target, as the dev and test sets or the metric are not what is wanted

    All are error rates in [0, 1]. human: one, or several by name (a typical doctor, a team of experts): the least is
    the proxy for Bayes error, which no error can be below in the long run. train_dev: of data as train's that were not
    learned from; without it the whole gap from train to dev is variance, or, where the distributions differ
    (same_distribution=False), variance or data mismatch. least: a gap from here on needs work.
    Negative gaps are told as what they are: dev is easier than what the model was trained on.

    Raises ValueError for an error outside [0, 1], no human level, least below 0.
    Source: the course's "Structuring Machine Learning Projects", weeks 1 and 2.

    >>> found = diagnose(human=0.04, train=0.07, train_dev=0.10, dev=0.12, test=0.12)
    >>> print(found)
    error of          gap  which is
    human level   4%
    train         7%  +3%  avoidable bias
    train-dev    10%  +3%  variance
    dev          12%  +2%  data mismatch
    test         12%   0%  overfitting to dev, small
    against avoidable bias:
      1. train a bigger network
      2. train longer, or with a better optimizer: momentum, RMSprop, Adam
      3. search for a better architecture and hyperparameters
    against variance:
      1. get more training data, or augment what there is
      2. regularise: L2, dropout, early stopping
      3. search for a better architecture and hyperparameters
    against data mismatch:
      1. look at mistakes on dev to learn how its data differ from the training data
      2. make training data more alike: collect data like dev's, or synthesise them
    """
    levels = dict(human) if isinstance(human, Mapping) else {"": human}
    if not levels or not least >= 0:
        raise ValueError(f"diagnose: human needs one level or more, and least is at least 0; got {human} and {least}")
    given = {"train": train, "train-dev": train_dev, "dev": dev, "test": test, "real world": real_world}
    humans = {f"human level {who}".rstrip(): error for who, error in levels.items()}
    known = {name: error for name, error in given.items() if error is not None}
    for name, error in (humans | known).items():
        if not 0 <= number(f"diagnose: {name}", error) <= 1:
            raise ValueError(f"diagnose: an error rate lies in [0, 1], 0.04 for 4%; {name} is {error}")
    bayes = min(levels, key=lambda who: levels[who])
    errors = {"human level": levels[bayes]} | known
    pairs = [(lower, upper, _called(lower, upper, same_distribution)) for lower, upper in pairwise(errors)]
    gaps = tuple(_gap(name, lower, upper, errors[upper] - errors[lower], least) for lower, upper, name in pairs)
    return Diagnosis(errors, bayes, gaps)


def _called(lower: str, upper: str, same_distribution: bool) -> str:
    if upper == "dev":
        return MISMATCH if lower == "train-dev" else VARIANCE if same_distribution else EITHER
    return {"train": BIAS, "train-dev": VARIANCE, "test": OVERFITTING, "real world": OFF_TARGET}[upper]


def _gap(name: str, lower: str, upper: str, value: float, least: float) -> Gap:
    told = ""
    if value < -ROUNDING:
        told = f"{upper} is {'' if value < -least else 'slightly '}easier than {lower}"
        if name == BIAS:
            told = "below human level, which cannot be Bayes error: look for a better proxy, or for a leak in the split"
    return Gap(name, lower, upper, value, value > ROUNDING and value >= least - ROUNDING, told)
